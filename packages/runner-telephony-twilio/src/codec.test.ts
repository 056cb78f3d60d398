import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import { expect, test } from "vitest";
import { createCodec, recognizeCall } from "./codec.ts";

const start = {
  event: "start",
  sequenceNumber: "1",
  streamSid: "MZ1",
  start: {
    accountSid: "AC1",
    streamSid: "MZ1",
    callSid: "CA1",
    tracks: ["inbound"],
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
    customParameters: { from_number: "+15550100", to_number: "+15550199", order: "7" },
  },
};

/** The start message of a web page that acts as a phone. */
const minimal = { event: "start", start: { streamSid: "ws_mock_stream_sid", callSid: "ws_mock_call_sid" } };

test("reads the call from the start message, with numbers and parameters", () => {
  expect(recognizeCall(start)).toEqual({
    streamId: "MZ1",
    callId: "CA1",
    accountSid: "AC1",
    from: "+15550100",
    to: "+15550199",
    body: { from_number: "+15550100", to_number: "+15550199", order: "7" },
  });
  expect(recognizeCall(minimal)).toEqual({ streamId: "ws_mock_stream_sid", callId: "ws_mock_call_sid" });
});

test.each([
  {},
  { event: "connected", protocol: "Call", version: "1.0.0" },
  { event: "start" },
  { event: "start", start: null },
  { event: "start", start: { streamSid: "MZ1" } },
  { event: "start", start: { streamSid: "", callSid: "CA1" } },
  { event: "start", start: { streamSid: {}, callSid: [] } },
  { event: "media", start: { streamSid: "MZ1", callSid: "CA1" } },
  { event: "start", start: { stream_sid: "S", call_sid: "C", account_sid: "A" } },
])("%j is not a start message of Twilio", (message) => {
  expect(recognizeCall(message)).toBe(undefined);
});

test("uses the sample rate of the start message", () => {
  const at = (mediaFormat: unknown) => createCodec({ start: { mediaFormat } }, { streamId: "MZ1", callId: "CA1" });
  expect(at({ encoding: "audio/x-mulaw", sampleRate: "16000" })).toMatchObject({
    callerSampleRate: 16_000,
    botSampleRate: 16_000,
  });
  for (const format of [undefined, null, {}, { sampleRate: 8000 }]) expect(at(format).callerSampleRate).toBe(8_000);
  for (const format of [
    { encoding: "audio/opus" },
    { sampleRate: 44_100 },
    { encoding: "audio/x-l16", sampleRate: 16_000 },
  ]) {
    expect(() => at(format)).toThrow(
      expect.objectContaining({ code: "MEDIA_FORMAT_UNSUPPORTED", fix: expect.any(String) }),
    );
  }
});

const codec = createCodec(start, { streamId: 'MZ"1', callId: "CA1" });

test("decodes audio with its timestamp", () => {
  const payload = Buffer.from([0xff, 0x00, 0x80]).toString("base64");
  const samples = decodeMulaw(Buffer.from([0xff, 0x00, 0x80]));
  const media = { track: "inbound", chunk: "3", timestamp: "40", payload };
  expect(codec.decode({ event: "media", streamSid: "MZ1", media })).toEqual({
    kind: "audio",
    samples,
    timestampMs: 40,
  });
  expect(codec.decode({ event: "media", media: { payload, timestamp: 40 } })).toMatchObject({ timestampMs: 40 });
  expect(codec.decode({ event: "media", media: { payload } })).toMatchObject({ kind: "audio", samples });
  expect(codec.decode({ event: "media", media: { track: "outbound", payload } })).toEqual({ kind: "nothing" });
});

test("decodes keys, marks and stop", () => {
  expect(codec.decode({ event: "dtmf", dtmf: { track: "inbound_track", digit: "#" } })).toEqual({
    kind: "dtmf",
    digit: "#",
  });
  expect(codec.decode({ event: "dtmf", dtmf: { digit: 5 } })).toEqual({ kind: "dtmf", digit: "5" });
  expect(codec.decode({ event: "mark", mark: { name: "12" } })).toEqual({ kind: "played", mark: "12" });
  expect(codec.decode({ event: "stop" })).toEqual({ kind: "stop" });
  expect(codec.decode({ event: "connected" })).toEqual({ kind: "nothing" });
});

test.each([
  {},
  start,
  { event: 7 },
  { event: "media" },
  { event: "media", media: { payload: "!!" } },
  { event: "media", media: { payload: "" } },
  { event: "dtmf", dtmf: { digit: "12" } },
  { event: "dtmf" },
  { event: "mark", mark: {} },
])("returns undefined for %j", (message) => {
  expect(codec.decode(message)).toBe(undefined);
});

test("encodes JSON with the stream id", () => {
  const samples = Int16Array.from([0, 8_000, -8_000]);
  expect(JSON.parse(String(codec.encodeAudio(samples)))).toEqual({
    event: "media",
    streamSid: 'MZ"1',
    media: { payload: Buffer.from(encodeMulaw(samples)).toString("base64") },
  });
  expect(JSON.parse(codec.encodeMark?.("12") ?? "")).toEqual({
    event: "mark",
    streamSid: 'MZ"1',
    mark: { name: "12" },
  });
  expect(JSON.parse(codec.encodeClear())).toEqual({ event: "clear", streamSid: 'MZ"1' });
});
