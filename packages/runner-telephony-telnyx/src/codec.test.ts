import {
  decodeAlaw,
  decodeMulaw,
  encodeAlaw,
  encodeMulaw,
  excerpt,
  measureLevel,
  measurePitch,
  tone,
} from "@pipecat-ts/audio";
import { resolveOptions } from "@pipecat-ts/runner-core";
import type { CallEvent } from "@pipecat-ts/runner-telephony";
import { cut } from "@pipecat-ts/runner-testing";
import { createDecoder, createEncoder } from "libopus-wasm";
import { describe, expect, onTestFinished, test } from "vitest";
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

/** The samples of a packet. */
function decoded(event: CallEvent | undefined): Int16Array | undefined {
  return event?.kind === "packet" ? event.decode() : expect.unreachable();
}

describe("Opus", () => {
  async function opened(format: object, given: object = { codec: "OPUS" }) {
    const codec = createCodec(start(format), call, { ...settings, ...given });
    onTestFinished(() => codec.close?.());
    await codec.ready;
    return codec;
  }
  const format = { sampleRate: 16_000, channels: 1 } as const;
  const media = (packet: Uint8Array, chunk: number) => ({
    event: "media",
    media: { chunk: String(chunk), timestamp: String(20 * chunk), payload: Buffer.from(packet).toString("base64") },
  });
  const speech = tone(440, { durationMs: 200, sampleRate: 16_000, levelDb: -15 });

  async function packetsOf(sampleRate: 16_000 | 48_000): Promise<Uint8Array[]> {
    const encoder = await createEncoder({ sampleRate, channels: 1, frameSize: sampleRate / 50 });
    const said = tone(440, { durationMs: 200, sampleRate, levelDb: -15 });
    const packets = cut(said).map(({ samples }) => encoder.encode(samples));
    encoder.free();
    return packets;
  }

  test.each([16_000, 48_000] as const)(
    "packets of an encoder at %i Hz are decoded at 16,000 Hz",
    async (sample_rate) => {
      const codec = await opened({ encoding: "OPUS", sample_rate });
      expect(codec.callerSampleRate).toBe(16_000);
      const pieces = (await packetsOf(sample_rate)).map((packet, index) => codec.decode(media(packet, index)));
      expect(pieces[3]).toMatchObject({ kind: "packet", sequence: 3, timestampMs: 60 });
      const samples = pieces.flatMap((event) => [...(decoded(event) ?? [])]);
      expect(samples.length).toBe(3_200);
      const heard = excerpt({ samples: Int16Array.from(samples), ...format }, 60, 200);
      expect(measurePitch(heard)).toBeCloseTo(440, -1);
      expect(Math.abs(measureLevel(heard) + 15)).toBeLessThan(1);
    },
  );

  test("audio for Telnyx is one packet of 20 ms, which any decoder reads", async () => {
    const codec = await opened({ encoding: "PCMU", sample_rate: 8_000 });
    expect(codec).toMatchObject({ callerSampleRate: 8_000, botSampleRate: 16_000, frameMs: 20 });
    const decoder = await createDecoder(format);
    const heard = cut(speech).flatMap(({ samples }) => {
      const { payload } = JSON.parse(String(codec.encodeAudio(samples))).media;
      return [...decoder.decode(Buffer.from(payload, "base64"))];
    });
    decoder.free();
    expect(heard.length).toBe(3_200);
    expect(measurePitch(excerpt({ samples: Int16Array.from(heard), ...format }, 60, 200))).toBeCloseTo(440, -1);
  });

  test("packets that arrive while libopus is loaded are decoded with the first one after it", async () => {
    const [first = new Uint8Array(), second = new Uint8Array()] = await packetsOf(16_000);
    const early = createCodec(start({ encoding: "OPUS", sample_rate: 16_000 }), call, settings);
    expect(decoded(early.decode(media(first, 0)))).toEqual(new Int16Array());
    await early.ready;
    expect(decoded(early.decode(media(second, 1)))).toHaveLength(640);
    expect(decoded(early.decode(media(second, 2)))).toHaveLength(320);
    early.close?.();
  });

  test("an invalid packet has no samples, and the next one is decoded", async () => {
    const codec = await opened({ encoding: "OPUS", sample_rate: 16_000 });
    expect(codec.decode(media(new Uint8Array(), 0))).toBe(undefined);
    for (const bytes of [
      [0x41, 0xff],
      [0xfb, 0x00, 0x01],
    ])
      expect(decoded(codec.decode(media(Uint8Array.from(bytes), 0)))).toBe(undefined);
    expect(decoded(codec.decode(media(Uint8Array.of(0xf8, 0xff, 0xfe), 1)))).toHaveLength(320);
  });

  test("packets that arrive out of order are decoded in the order in which they are read", async () => {
    const packets = await packetsOf(16_000);
    async function heard(arrivals: readonly number[]): Promise<number[]> {
      const codec = await opened({ encoding: "OPUS", sample_rate: 16_000 });
      const pieces = arrivals.map((index) => codec.decode(media(packets[index] ?? new Uint8Array(), index)));
      const inOrder = packets.map((_, index) => pieces[arrivals.indexOf(index)]);
      return inOrder.flatMap((piece) => [...(decoded(piece) ?? [])]);
    }
    const expected = await heard([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(expected).toHaveLength(3_200);
    expect(await heard([0, 2, 1, 3, 4, 6, 5, 7, 9, 8])).toEqual(expected);
  });

  test("a closed codec neither reads nor writes, also when it is closed while it loads", async () => {
    const codec = createCodec(start({ encoding: "OPUS", sample_rate: 16_000 }), call, { ...settings, codec: "OPUS" });
    codec.close?.();
    await codec.ready;
    expect(decoded(codec.decode(media(Uint8Array.of(0xf8, 0xff, 0xfe), 1)))).toHaveLength(0);
    expect(JSON.parse(String(codec.encodeAudio(new Int16Array(320)))).media.payload).toBe("");
  });
});

test("the caller's leg may have another codec and rate than the bot's audio", () => {
  expect(codecOf("PCMA", { codec: "L16" })).toMatchObject({ callerSampleRate: 8_000, botSampleRate: 16_000 });
  expect(codecOf("L16", { codec: "PCMU" })).toMatchObject({ callerSampleRate: 8_000, botSampleRate: 8_000 });
});

test.each(["G722", "AMR-WB", "__proto__"])("rejects %s with a fix", (encoding) => {
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
