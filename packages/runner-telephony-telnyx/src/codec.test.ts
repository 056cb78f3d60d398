import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from "@pipecat-ts/audio";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createCodec, recognizeCall } from "./codec.ts";
import { options } from "./options.ts";

const settings = resolveOptions(options, { env: {} });
const call = { streamId: "S1", callId: "v3:C1" };

function start(media_format: unknown) {
  return {
    event: "start",
    sequence_number: "1",
    stream_id: "S1",
    start: {
      user_id: "U1",
      call_control_id: "v3:C1",
      call_session_id: "X1",
      from: "+15550100",
      to: "+15550199",
      client_state: "aGk=",
      custom_parameters: { customer: "7" },
      media_format,
    },
  };
}

const codecOf = (encoding?: string, given: object = {}) =>
  createCodec(start(encoding && { encoding, sample_rate: 8000, channels: 1 }), call, { ...settings, ...given });

test("reads the call from the start message", () => {
  expect(recognizeCall(start({}))).toEqual({
    ...call,
    from: "+15550100",
    to: "+15550199",
    callSessionId: "X1",
    clientState: "aGk=",
    body: { customer: "7" },
  });
});

test.each([
  {},
  { event: "start", start: { call_control_id: "C1" } },
  { event: "start", stream_id: "S1" },
  { event: "media", stream_id: "S1", start: { call_control_id: "C1" } },
  { event: "start", stream_sid: "S1", start: { call_sid: "C1" } },
])("%j is not a start message of Telnyx", (message) => {
  expect(recognizeCall(message)).toBe(undefined);
});

test("decodes the codec of the leg, and encodes the codec of the webhook reply", () => {
  const bytes = Buffer.from([0x00, 0x55, 0xd5, 0xff]);
  const media = { track: "inbound", chunk: "3", timestamp: "40", payload: bytes.toString("base64") };
  const samplesOf = (encoding?: string) => codecOf(encoding).decode({ event: "media", media });
  for (const encoding of ["PCMU", "audio/x-mulaw", undefined]) {
    expect(samplesOf(encoding)).toEqual({ kind: "audio", samples: decodeMulaw(bytes), timestampMs: 40, sequence: 3 });
  }
  for (const encoding of ["PCMA", "audio/x-alaw"])
    expect(samplesOf(encoding)).toMatchObject({ samples: decodeAlaw(bytes) });

  const samples = Int16Array.from([0, 8_000, -8_000]);
  const sent = (encoding: string, codec: string) =>
    Buffer.from(JSON.parse(String(codecOf(encoding, { codec }).encodeAudio(samples))).media.payload, "base64");
  expect(sent("PCMA", "PCMU")).toEqual(Buffer.from(encodeMulaw(samples)));
  expect(sent("PCMU", "PCMA")).toEqual(Buffer.from(encodeAlaw(samples)));
});

test.each([
  { l16ByteOrder: "little-endian", hex: "0100feff" },
  { l16ByteOrder: "big-endian", hex: "0001fffe" },
] as const)("L16 is 16-bit PCM, $l16ByteOrder", ({ l16ByteOrder, hex }) => {
  const samples = Int16Array.from([1, -2]);
  const payload = Buffer.from(hex, "hex").toString("base64");
  const at = (sample_rate: number) =>
    createCodec(start({ encoding: "L16", sample_rate }), call, { ...settings, codec: "L16", l16ByteOrder });
  for (const sampleRate of [8_000, 16_000, 24_000]) {
    expect(at(sampleRate)).toMatchObject({ callerSampleRate: sampleRate, botSampleRate: 16_000 });
    expect(at(sampleRate).decode({ event: "media", media: { payload } })).toMatchObject({ kind: "audio", samples });
    expect(JSON.parse(String(at(sampleRate).encodeAudio(samples))).media.payload).toBe(payload);
  }
  expect(() => at(44_100)).toThrow(expect.objectContaining({ code: "MEDIA_FORMAT_UNSUPPORTED" }));
});

test("the caller's leg may have another codec and rate than the bot's audio", () => {
  expect(codecOf("PCMA", { codec: "L16" })).toMatchObject({ callerSampleRate: 8_000, botSampleRate: 16_000 });
  expect(codecOf("L16", { codec: "PCMU" })).toMatchObject({ callerSampleRate: 8_000, botSampleRate: 8_000 });
});

test.each(["G722", "OPUS", "AMR-WB", "__proto__"])("rejects %s with a fix", (encoding) => {
  expect(() => codecOf(encoding)).toThrow(
    expect.objectContaining({
      code: "MEDIA_FORMAT_UNSUPPORTED",
      message: expect.stringContaining(encoding),
      fix: expect.stringContaining("PCMA"),
    }),
  );
});

test("ignores the bot's own audio, which both_tracks sends back", () => {
  for (const track of ["outbound", "outbound_track"]) {
    expect(codecOf("PCMU").decode({ event: "media", media: { track, payload: "/////w==" } })).toEqual({
      kind: "nothing",
    });
  }
});

test("reads numbers as text, as numbers, or not at all", () => {
  const decode = (fields: object) =>
    codecOf("PCMU").decode({ event: "media", media: { payload: "/////w==", ...fields } });
  expect(decode({ chunk: 3, timestamp: 40 })).toMatchObject({ sequence: 3, timestampMs: 40 });
  expect(decode({ chunk: "x", timestamp: null })).toMatchObject({ sequence: undefined, timestampMs: undefined });
  expect(decode({ chunk: "1.5" })).toMatchObject({ sequence: undefined });
});

test("reads the title of both shapes of error", () => {
  const codec = codecOf("PCMU");
  expect(
    codec.decode({ event: "error", stream_id: "S1", payload: { code: 100002, title: "malformed_frame" } }),
  ).toEqual({
    kind: "error",
    title: "malformed_frame",
  });
  expect(codec.decode({ event: "error", error: { code: "100005", title: "rate_limit_reached" } })).toEqual({
    kind: "error",
    title: "rate_limit_reached",
  });
  expect(codec.decode({ event: "error" })).toEqual({ kind: "error", title: "an error" });
});

test("decodes keys, marks and stop, and returns undefined for the rest", () => {
  const codec = codecOf("PCMU");
  expect(codec.decode({ event: "dtmf", dtmf: { digit: "#" } })).toEqual({ kind: "dtmf", digit: "#" });
  expect(codec.decode({ event: "mark", mark: { name: "7" } })).toEqual({ kind: "played", mark: "7" });
  expect(codec.decode({ event: "stop", stop: {} })).toEqual({ kind: "stop" });
  for (const message of [{}, start({}), { event: "media" }, { event: "mark" }])
    expect(codec.decode(message)).toBe(undefined);
  expect(JSON.parse(codec.encodeMark?.("7") ?? "")).toEqual({ event: "mark", mark: { name: "7" } });
  expect(JSON.parse(codec.encodeClear())).toEqual({ event: "clear" });
});
