import { decodeMulaw, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createCodec, recognizeCall } from "./codec.ts";

const call = { streamId: "S1", callId: "C1" };

function start(mediaFormat: unknown) {
  return { event: "start", sequenceNumber: 1, start: { callId: "C1", streamId: "S1", accountId: "MA1", mediaFormat } };
}

const mulaw = createCodec(start({ encoding: "audio/x-mulaw", sampleRate: 8000 }), call);
const pcm = createCodec(start({ encoding: "audio/x-l16", sampleRate: "16000" }), call);

test("reads the call from the start message, with extra headers", () => {
  const extra_headers = "from=15550100; to=15550199;token=a=b;;nonsense";
  expect(recognizeCall({ ...start({}), extra_headers })).toEqual({
    ...call,
    accountId: "MA1",
    from: "15550100",
    to: "15550199",
    body: { from: "15550100", to: "15550199", token: "a=b" },
  });
  expect(recognizeCall({ ...start({}), extra_headers: "" })).toEqual({ ...call, accountId: "MA1" });
});

test.each([
  {},
  { event: "start", start: { streamId: "S1" } },
  { event: "start", start: { streamSid: "S1", callSid: "C1" } },
  { event: "media", start: { streamId: "S1", callId: "C1" } },
])("%j is not a start message of Plivo", (message) => {
  expect(recognizeCall(message)).toBe(undefined);
});

describe("the format", () => {
  test("is that of the start message, 16-bit PCM by default", () => {
    expect(mulaw).toMatchObject({ callerSampleRate: 8_000, botSampleRate: 8_000 });
    expect(pcm).toMatchObject({ callerSampleRate: 16_000, botSampleRate: 16_000 });
    const samples = Int16Array.from([1, -2]);
    expect(JSON.parse(String(createCodec(start(undefined), call).encodeAudio(samples))).media).toEqual({
      contentType: "audio/x-l16",
      sampleRate: 8_000,
      payload: Buffer.from(encodePcm16(samples)).toString("base64"),
    });
    expect(createCodec(start({ encoding: "audio/x-l16;rate=16000", sampleRate: 16_000 }), call).callerSampleRate).toBe(
      16_000,
    );
  });

  test.each([
    { encoding: "audio/x-mulaw", sampleRate: 16_000 },
    { encoding: "audio/opus", sampleRate: 48_000 },
    { encoding: "audio/x-l16", sampleRate: 24_000 },
  ])("rejects %j with a fix", (format) => {
    expect(() => createCodec(start(format), call)).toThrow(
      expect.objectContaining({ code: "MEDIA_FORMAT_UNSUPPORTED", fix: expect.stringContaining("contentType") }),
    );
  });
});

test("decodes audio, and joins samples that are cut", () => {
  const bytes = Buffer.from([0xff, 0x80]);
  const media = { track: "inbound", timestamp: "1760000000020", chunk: 2, payload: bytes.toString("base64") };
  expect(mulaw.decode({ event: "media", media })).toEqual({
    kind: "audio",
    samples: decodeMulaw(bytes),
    timestampMs: 1_760_000_000_020,
  });
  const piece = (hex: string) => ({ event: "media", media: { payload: Buffer.from(hex, "hex").toString("base64") } });
  expect(pcm.decode(piece("010002"))).toMatchObject({ samples: Int16Array.from([1]) });
  expect(pcm.decode(piece("000300"))).toMatchObject({ samples: Int16Array.from([2, 3]) });
  expect(mulaw.decode({ event: "media", media: { ...media, track: "outbound" } })).toEqual({ kind: "nothing" });
});

test("decodes keys, checkpoints and cleared audio", () => {
  expect(mulaw.decode({ event: "dtmf", dtmf: { digit: "A" } })).toEqual({ kind: "dtmf", digit: "A" });
  expect(mulaw.decode({ event: "playedStream", streamId: "S1", name: "7" })).toEqual({ kind: "played", mark: "7" });
  expect(mulaw.decode({ event: "played", streamId: "S1", name: "7" })).toEqual({ kind: "played", mark: "7" });
  expect(mulaw.decode({ event: "clearedAudio", streamId: "S1" })).toEqual({ kind: "nothing" });
});

test.each([
  {},
  start({}),
  { event: "media" },
  { event: "stop" },
  { event: "dtmf", dtmf: { digit: "E" } },
  { event: "playedStream" },
])("returns undefined for %j", (message) => {
  expect(mulaw.decode(message)).toBe(undefined);
});

test("encodes audio with its format, and other messages with the stream id", () => {
  const samples = Int16Array.from([0, 8_000]);
  expect(JSON.parse(String(mulaw.encodeAudio(samples)))).toEqual({
    event: "playAudio",
    media: {
      contentType: "audio/x-mulaw",
      sampleRate: 8_000,
      payload: Buffer.from(encodeMulaw(samples)).toString("base64"),
    },
  });
  expect(JSON.parse(mulaw.encodeMark?.("7") ?? "")).toEqual({ event: "checkpoint", streamId: "S1", name: "7" });
  expect(JSON.parse(mulaw.encodeClear())).toEqual({ event: "clearAudio", streamId: "S1" });
  expect(JSON.parse(mulaw.encodeDtmf?.("12w#") ?? "")).toEqual({ event: "sendDTMF", dtmf: "12#" });
});
