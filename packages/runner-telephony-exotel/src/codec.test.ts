import { encodePcm16 } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createCodec, recognizeCall } from "./codec.ts";

const call = { streamId: "S1", callId: "C1" };

function start(media_format: unknown) {
  return {
    event: "start",
    sequence_number: 1,
    stream_sid: "S1",
    start: {
      stream_sid: "S1",
      call_sid: "C1",
      account_sid: "A1",
      from: "15550100",
      to: 15550199,
      custom_parameters: { order: "7" },
      media_format,
    },
  };
}

const codec = createCodec(start({ encoding: "base64", sample_rate: "8000" }), call);

test("reads the call from the start message, with numbers as text or number", () => {
  expect(recognizeCall(start({}))).toEqual({
    ...call,
    accountSid: "A1",
    from: "15550100",
    to: "15550199",
    body: { order: "7" },
  });
});

test.each([
  {},
  { event: "start", start: { stream_sid: "S1", call_sid: "C1" } },
  { event: "media", start: { stream_sid: "S1", call_sid: "C1", account_sid: "A1" } },
  { event: "start", start: { streamSid: "S1", callSid: "C1", accountSid: "A1" } },
])("%j is not a start message of Exotel", (message) => {
  expect(recognizeCall(message)).toBe(undefined);
});

describe("the format", () => {
  test.each([
    [8_000, 200],
    [16_000, 100],
    [24_000, 100],
  ])("at %i Hz has messages of %i ms: a multiple of 320 bytes, at least 3,200", (sampleRate, frameMs) => {
    for (const sample_rate of [sampleRate, String(sampleRate)])
      for (const encoding of ["base64", "raw", "audio/x-raw", undefined]) {
        const made = createCodec(start({ encoding, sample_rate }), call);
        expect(made).toMatchObject({ callerSampleRate: sampleRate, botSampleRate: sampleRate, frameMs });
      }
    const bytes = (sampleRate * frameMs * 2) / 1000;
    expect(bytes % 320).toBe(0);
    expect(bytes).toBeGreaterThanOrEqual(3_200);
    expect(bytes).toBeLessThanOrEqual(100_000);
  });

  test("is 8,000 Hz by default", () => {
    for (const format of [undefined, null, {}]) expect(createCodec(start(format), call).callerSampleRate).toBe(8_000);
  });

  test.each([{ sample_rate: 44_100 }, { sample_rate: "8000", encoding: "audio/x-mulaw" }, { sample_rate: 1e9 }])(
    "rejects %j with a fix",
    (format) => {
      expect(() => createCodec(start(format), call)).toThrow(
        expect.objectContaining({ code: "MEDIA_FORMAT_UNSUPPORTED", fix: expect.stringContaining("Voicebot") }),
      );
    },
  );
});

test("decodes little-endian audio, and joins samples that are cut", () => {
  const made = createCodec(start({}), call);
  const piece = (hex: string) => ({
    event: "media",
    media: { timestamp: 100, payload: Buffer.from(hex, "hex").toString("base64") },
  });
  expect(made.decode(piece("010002"))).toEqual({ kind: "audio", samples: Int16Array.from([1]), timestampMs: 100 });
  expect(made.decode(piece("ff0300"))).toMatchObject({ samples: Int16Array.from([-254, 3]) });
});

test("decodes keys, marks and stop, and returns undefined for the rest", () => {
  expect(codec.decode({ event: "dtmf", dtmf: { digit: 5, duration: "100" } })).toEqual({ kind: "dtmf", digit: "5" });
  expect(codec.decode({ event: "mark", mark: { name: "7" } })).toEqual({ kind: "played", mark: "7" });
  expect(codec.decode({ event: "stop", stop: { reason: "callended" } })).toEqual({ kind: "stop" });
  for (const event of ["connected", "clear"]) expect(codec.decode({ event })).toEqual({ kind: "nothing" });
  for (const message of [{}, start({}), { event: "media" }, { event: "mark" }])
    expect(codec.decode(message)).toBe(undefined);
});

test("encodes JSON with the stream id", () => {
  const samples = Int16Array.from([1, -2]);
  expect(JSON.parse(String(codec.encodeAudio(samples)))).toEqual({
    event: "media",
    stream_sid: "S1",
    media: { payload: Buffer.from(encodePcm16(samples)).toString("base64") },
  });
  expect(JSON.parse(codec.encodeMark?.("7") ?? "")).toEqual({ event: "mark", stream_sid: "S1", mark: { name: "7" } });
  expect(JSON.parse(codec.encodeClear())).toEqual({ event: "clear", stream_sid: "S1" });
});
