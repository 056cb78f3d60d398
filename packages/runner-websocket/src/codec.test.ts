import { encodeWav } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createDecoder, type Decoder, encodeAudio, encodeInterruption, encodeMessage } from "./codec.ts";
import { encodeBotAudio } from "./rtvi-json.ts";

/** What a Pipecat client sends for 4 bytes of PCM, [1, 2], at 16 kHz mono. */
const golden = bytes("12121205617564696f1a040100020020807d2801");

describe("decode", () => {
  test("decodes the frames of a real client", () => {
    expect(decode(golden).frame).toEqual({
      kind: "audio",
      audio: { samples: Int16Array.of(1, 2), sampleRate: 16_000, channels: 1 },
    });
  });

  test("copies the samples, because the network's buffer is reused", () => {
    const buffer = Buffer.from(golden);
    const { frame } = decode(buffer);
    buffer.fill(0xff);
    expect(frame).toMatchObject({ audio: { samples: Int16Array.of(1, 2) } });
  });

  test("decodes samples at an odd address", () => {
    for (const offset of [0, 1, 2, 3]) {
      const moved = Buffer.concat([Buffer.alloc(offset), golden]).subarray(offset);
      expect(decode(moved).frame).toMatchObject({ audio: { samples: Int16Array.of(1, 2) } });
    }
  });

  test("removes the WAV header that Pipecat's Python client puts into each frame", () => {
    const wav = encodeWav({ samples: Int16Array.of(1, 2), sampleRate: 16_000, channels: 1 });
    const inFrame = (audio: Uint8Array) =>
      bytes(`12 ${hex(varint(audio.length + 7))} 1a ${hex(varint(audio.length))} ${hex(audio)} 20807d 2801`);
    expect(decode(inFrame(wav)).frame).toMatchObject({ audio: { samples: Int16Array.of(1, 2), sampleRate: 16_000 } });
    expect(decode(inFrame(wav.subarray(0, 44))).reasons).toEqual(["audio without samples"]);
    // A header that is not complete is audio.
    expect(decode(inFrame(wav.subarray(0, 42))).frame).toMatchObject({ audio: { samples: { length: 21 } } });
  });

  test("decodes an app message as JSON", () => {
    expect(decode(encodeMessage({ label: "rtvi-ai", text: "grüß dich 👋" })).frame).toEqual({
      kind: "message",
      message: { label: "rtvi-ai", text: "grüß dich 👋" },
    });
    expect(decode(encodeMessage(null)).frame).toEqual({ kind: "message", message: null });
  });

  test("ignores fields of newer clients", () => {
    // The golden frame with the bot's own `pts` (field 6) and an unknown field 9 after it.
    expect(decode(bytes("12161205617564696f1a040100020020807d280130074809")).frame).toMatchObject({
      audio: { samples: Int16Array.of(1, 2), sampleRate: 16_000 },
    });
  });

  test.each([
    ["no bytes at all", "", "not a frame"],
    ["a truncated frame", "12121205617564696f1a0401", "not a frame"],
    ["a length far beyond the end", "12ffffffff0f00", "not a frame"],
    ["a varint without an end", "ffffffffffffffffffffffffff", "not a frame"],
    ["an unknown kind of frame", "4a00", "not a frame"],
    ["more fields than a client sends", `124b ${"0801".repeat(33)} 1a020101 20807d 2801`, "not a frame"],
    ["more frames than one", "1200".repeat(33), "not a frame"],
    ["a group", "0b0c", "not a frame"],
    [
      "deep JSON",
      hex(encodeMessage(JSON.parse("[".repeat(129) + "]".repeat(129)))),
      "message is JSON with more than 128 levels",
    ],
    ["JSON with many values", hex(encodeMessage(Array(20_001).fill(0))), "message is JSON with more than 20000 values"],
    ["a text frame", "0a021a00", "frame of kind text instead of audio or message"],
    ["an interruption", "2a00", "frame of kind interruption instead of audio or message"],
    ["broken JSON", "22030a017b", "message is not JSON"],
    ["a message without data", "2200", "message is not JSON"],
    ["no samples", "1205 20807d2801", "audio without samples"],
    ["half a sample", "1208 1a0101 20807d2801", "audio ends inside a sample"],
    ["half a stereo sample", "1209 1a020101 20807d2802", "audio ends inside a sample"],
    ["no sample rate", "1206 1a020101 2801", "audio at 0 Hz instead of 1000 to 192000 Hz"],
    ["a sample rate below", "1209 1a020101 20e707 2801", "audio at 999 Hz instead of 1000 to 192000 Hz"],
    ["a sample rate above", "120a 1a020101 2081dc0b 2801", "audio at 192001 Hz instead of 1000 to 192000 Hz"],
    [
      "the largest sample rate",
      "120c 1a020101 20ffffffff0f 2801",
      "audio at 4294967295 Hz instead of 1000 to 192000 Hz",
    ],
    ["no channel count", "1207 1a020101 20807d", "audio with 0 channels instead of 1 or 2"],
    ["three channels", "120d 1a06010101010101 20807d 2803", "audio with 3 channels instead of 1 or 2"],
  ])("drops %s", (_, hex, reason) => {
    expect(decode(bytes(hex))).toEqual({ frame: undefined, reasons: [reason], dropped: 1 });
  });

  test("drops text messages that contain a frame", () => {
    expect(decode(golden, false)).toMatchObject({ frame: undefined, dropped: 1 });
  });

  test("accepts 1 sample, the extreme rates, and stereo", () => {
    for (const [samples, sampleRate, channels] of [
      [Int16Array.of(-32768), 1_000, 1],
      [Int16Array.of(32767, -1), 192_000, 2],
    ] as const) {
      const audio = { samples, sampleRate, channels };
      expect(decode(encodeAudio(audio)).frame).toEqual({ kind: "audio", audio });
    }
  });

  test("accepts 10 s at once, and no more", () => {
    const seconds10 = { samples: new Int16Array(10_000), sampleRate: 1_000, channels: 1 };
    expect(decode(encodeAudio(seconds10)).frame?.kind).toBe("audio");
    for (const [length, sampleRate] of [
      [10_001, 1_000],
      [1_000_000, 16_000],
    ] as const) {
      const { frame, reasons } = decode(encodeAudio({ samples: new Int16Array(length), sampleRate, channels: 1 }));
      expect(frame).toBeUndefined();
      expect(reasons).toEqual(["audio frame longer than 10000 ms"]);
    }
  });

  test("never throws: 100,000 random messages, half of them frames with random damage", { timeout: 60_000 }, () => {
    const random = seeded(1);
    let calls = 0;
    const decoder = createDecoder(() => {
      calls += 1;
    });
    let frames = 0;
    for (let n = 0; n < 100_000; n++) {
      const data = n % 2 === 0 ? Buffer.from(golden) : Buffer.alloc(random(64));
      const damage = n % 2 === 0 ? random(4) : data.length;
      for (let k = 0; k < damage; k++) data[n % 2 === 0 ? random(data.length) : k] = random(256);
      if (decoder.decode(data.subarray(0, data.length - (n % 2 === 0 ? random(3) : 0)), n % 7 !== 0)) frames += 1;
    }
    expect(frames).toBeGreaterThan(1_000);
    expect(decoder.dropped).toBe(100_000 - frames);
    expect(calls).toBe(decoder.dropped);
  });

  test("never throws on JSON nested deeper than the stack", () => {
    const depth = 250_000;
    const json = Buffer.from("[".repeat(depth) + "]".repeat(depth));
    const length = varint(json.length);
    const inner = Buffer.concat([Buffer.of(0x0a), length, json]);
    const data = Buffer.concat([Buffer.of(0x22), varint(inner.length), inner]);
    expect(() => decode(data)).not.toThrow();
  });
});

describe("the first message decides the format:", () => {
  const ready = rtvi("client-ready", { version: "2.2.0" });

  test("text with an RTVI message, after which binary messages are dropped", () => {
    const { decoder, reasons } = open();
    expect(decoder.format).toBeUndefined();
    expect(text(decoder, ready)).toEqual({ kind: "message", message: ready });
    expect(decoder.decode(golden, true)).toBeUndefined();
    expect([decoder.format, reasons]).toEqual(["json", ["binary message instead of text"]]);
    expect(text(decoder, { own: 1 })).toEqual({ kind: "message", message: { own: 1 } });
  });

  test("binary, after which text is dropped", () => {
    const { decoder, reasons } = open();
    decoder.decode(golden, true);
    expect(text(decoder, ready)).toBeUndefined();
    expect([decoder.format, reasons]).toEqual(["protobuf", ["text message instead of a binary frame"]]);
  });

  test("text without an RTVI message does not", () => {
    const { decoder, reasons } = open();
    for (const message of [{ own: 1 }, null, [ready], { label: "other" }])
      expect(text(decoder, message)).toBeUndefined();
    decoder.decode(Buffer.from("{"), false);
    expect(decoder.format).toBeUndefined();
    expect(reasons).toEqual([...Array(4).fill("text message that is not an RTVI message"), "text message is not JSON"]);
  });
});

describe("RTVI as text", () => {
  test("raw-audio and raw-audio-batch are the caller's audio", () => {
    const { decoder } = open();
    const audio = { samples: Int16Array.of(1, 2), sampleRate: 16_000, channels: 1 };
    const wire = { sampleRate: 16_000, numChannels: 1 };
    expect(text(decoder, rtvi("raw-audio", { ...wire, base64Audio: "AQACAA==" }))).toEqual({ kind: "audio", audio });
    const batch = rtvi("raw-audio-batch", { ...wire, base64AudioBatch: ["AQA=", "", "AgA="] });
    expect(text(decoder, batch)).toEqual({ kind: "audio", audio });
  });

  test.each([
    ["no audio", {}, "raw-audio with missing or malformed fields"],
    ["a number for audio", { base64Audio: 7 }, "raw-audio with missing or malformed fields"],
    ["text that is not base64", { base64Audio: "AQA=!" }, "raw-audio with missing or malformed fields"],
    [
      "a rate that is not an integer",
      { base64Audio: "AQA=", sampleRate: 16_000.5 },
      "raw-audio with missing or malformed fields",
    ],
    ["text for channels", { base64Audio: "AQA=", numChannels: "1" }, "raw-audio with missing or malformed fields"],
    ["half a sample", { base64Audio: "AQAC" }, "audio ends inside a sample"],
    ["empty audio", { base64Audio: "" }, "audio without samples"],
    ["a rate of 1 Hz", { base64Audio: "AQA=", sampleRate: 1 }, "audio at 1 Hz instead of 1000 to 192000 Hz"],
    ["3 channels", { base64Audio: "AQA=", numChannels: 3 }, "audio with 3 channels instead of 1 or 2"],
    ["501 pieces", { base64AudioBatch: Array(501).fill("AQA=") }, "audio with more than 500 pieces"],
    ["more than 10 s", { base64Audio: "A".repeat(26_680), sampleRate: 1_000 }, "audio frame longer than 10000 ms"],
  ])("drops raw-audio with %s", (_, data, reason) => {
    const { decoder, reasons } = open();
    text(decoder, rtvi("client-ready"));
    expect(text(decoder, rtvi("raw-audio", { sampleRate: 16_000, numChannels: 1, ...data }))).toBeUndefined();
    expect(reasons.map((each) => each.replace("text message is ", ""))).toEqual([reason]);
  });

  test.each([
    ["both wishes", { skip_tts: true, capture_bot_audio: true }, { skipTts: true, captureBotAudio: true }],
    ["neither", { skip_tts: false, capture_bot_images: true }, { skipTts: false, captureBotAudio: false }],
    ["no wishes", undefined, { skipTts: false, captureBotAudio: false }],
    ["values of other types", { skip_tts: "yes", capture_bot_audio: 1 }, { skipTts: false, captureBotAudio: false }],
  ])("eval-connect as the first message sets the wishes of an eval harness: %s", (_, d, request) => {
    const { decoder } = open();
    expect(text(decoder, rtvi("client-message", { t: "eval-connect", d }))).toBeUndefined();
    expect([decoder.evals, decoder.dropped]).toEqual([request, 0]);
    expect(text(decoder, rtvi("client-message", { t: "eval-cancel", d: {} }))).toEqual({ kind: "evalCancel" });
  });

  test("eval messages of other callers change nothing", () => {
    const { decoder } = open();
    text(decoder, rtvi("client-ready"));
    expect(text(decoder, rtvi("client-message", { t: "eval-connect", d: { skip_tts: true } }))).toBeUndefined();
    expect(decoder.evals).toBeUndefined();
    const cancel = rtvi("client-message", { t: "eval-cancel" });
    expect(text(decoder, cancel)).toEqual({ kind: "message", message: cancel });
  });

  test("drops JSON that is too deep or has too many values", () => {
    const { decoder, reasons } = open();
    text(decoder, rtvi("client-ready"));
    decoder.decode(Buffer.from("[".repeat(129)), false);
    decoder.decode(Buffer.from(`[${"0,".repeat(20_001)}0]`), false);
    expect(reasons).toEqual([
      "text message is JSON with more than 128 levels",
      "text message is JSON with more than 20000 values",
    ]);
  });

  test("encodes the bot's audio as an eval harness reads it", () => {
    const frame = { samples: Int16Array.of(1, 2), sampleRate: 24_000, channels: 1 };
    expect(JSON.parse(encodeBotAudio(frame))).toEqual({
      label: "rtvi-ai",
      type: "eval-bot-audio",
      data: { audio: "AQACAA==", sampleRate: 24_000 },
    });
  });
});

describe("encode", () => {
  test("encodes the bytes that clients read", () => {
    const audio = encodeAudio({ samples: Int16Array.of(1, 2), sampleRate: 24_000, channels: 1 });
    expect(hex(audio)).toBe("120c1a040100020020c0bb012801");
    expect(hex(encodeMessage({ a: 1 }))).toBe("22090a077b2261223a317d");
    expect(hex(encodeInterruption())).toBe("2a00");
  });

  test("encodes only the samples of a view", () => {
    const whole = Int16Array.of(9, 1, 2, 9);
    const audio = encodeAudio({ samples: whole.subarray(1, 3), sampleRate: 24_000, channels: 1 });
    expect(hex(audio)).toBe("120c1a040100020020c0bb012801");
  });

  test("rejects values that JSON cannot represent", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    for (const message of [undefined, () => 0, Symbol("x"), 1n, circle]) {
      expect(() => encodeMessage(message)).toThrow(TypeError);
    }
  });
});

function open() {
  const reasons: string[] = [];
  return { decoder: createDecoder((reason) => reasons.push(reason)), reasons };
}

function rtvi(type: string, data: unknown = {}) {
  return { label: "rtvi-ai", type, id: "1", data };
}

function text(decoder: Decoder, message: unknown) {
  return decoder.decode(Buffer.from(JSON.stringify(message)), false);
}

function decode(data: Uint8Array, isBinary = true) {
  const { decoder, reasons } = open();
  const frame = decoder.decode(data, isBinary);
  return { frame, reasons, dropped: decoder.dropped };
}

function bytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return Buffer.from([...out, value]);
}

/** Whole numbers below a limit, the same ones in every run (mulberry32). */
function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}
