import { expect, test } from "vitest";
import { createResampler, decodeAlaw, decodeMulaw, encodeWav, parseWav } from "../../packages/audio/src/index.ts";
import { answerHandshake, createRTVI } from "../../packages/rtvi/src/index.ts";
import { createFakeTransport, type FakeTransport } from "../../packages/rtvi/src/test/fake-transport.ts";
import { systemClock } from "../../packages/runner-core/src/index.ts";
import { createDropCounters } from "../../packages/runner-media/src/counters.ts";
import { createInputAudio } from "../../packages/runner-media/src/input-audio.ts";
import { recordingLogger } from "../../packages/runner-media/src/test/fake-call.ts";
import { createDecoder, encodeAudio, encodeMessage } from "../../packages/runner-websocket/src/codec.ts";
import { expectCost, micros } from "./cost.ts";

/** The largest message of a caller. */
const maxBytes = 1024 * 1024;
/** What a message may cost whatever its size, and each of its bytes in addition: three to four times the most expensive inputs below. */
const messageMicros = 80;
const byteMicros = 0.04;

type Process = (message: Uint8Array) => unknown;
const inputs = new Map<string, { readonly messages: readonly Uint8Array[]; readonly process: Process }>();

/** `piece` repeated to nearly 1 MiB. */
const fill = (piece: string): string => piece.repeat((maxBytes - 1_000) / piece.length);
const bytesOf = (hex: string): Buffer => Buffer.from(hex, "hex");
const fillBytes = (hex: string): Buffer => Buffer.alloc(maxBytes - 1_000, bytesOf(hex));
const list = (count: number, item: (index: number) => unknown): unknown[] =>
  Array.from({ length: count }, (_, n) => item(n));
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

/** A protobuf field with bytes. */
function field(number: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) return Buffer.concat([Buffer.of((number << 3) | 2), Buffer.from(length), bytes]);
  }
}

/** A transport whose bot listens to everything. */
function createListening(): FakeTransport {
  const transport = createFakeTransport();
  answerHandshake(transport);
  const rtvi = createRTVI(transport);
  for (const event of ["clientMessage", "sendText", "dtmf", "llmFunctionCallResult"] as const)
    rtvi.on(event, () => undefined);
  for (const event of ["uiEvent", "uiSnapshot", "rawAudio", "sendFile"] as const) rtvi.on(event, () => undefined);
  return transport;
}

/** Everything between a caller's message and the bot's listeners. */
function receive(): Process {
  const decoder = createDecoder(() => undefined);
  const input = createInputAudio(16_000, createDropCounters(recordingLogger([])), systemClock);
  const transport = createListening();
  return (message) => {
    const frame = decoder.decode(message, true);
    if (frame?.kind === "audio") input.push(frame.audio);
    else if (frame?.kind === "message") transport.emit("appMessage", frame.message);
  };
}

function frames(sampleRates: readonly number[], samples: number, channels = 1): Uint8Array[] {
  return sampleRates.map((sampleRate) =>
    encodeAudio({ samples: new Int16Array(samples).fill(1), sampleRate, channels }),
  );
}

function addFrames(name: string, messages: readonly Uint8Array[]): void {
  inputs.set(`protobuf: ${name}`, { messages, process: receive() });
}

addFrames(
  "2,500 samples at two rates in turn",
  frames(list(2_500, (n) => (Number(n) % 2 ? 21_001 : 21_003)) as number[], 1),
);
addFrames("2,500 samples at 2,500 rates", frames(list(2_500, (n) => 20_000 + Number(n)) as number[], 1));
addFrames("2,500 samples at one odd rate", frames(times(2_500, 21_001), 1));
addFrames("1 MiB of stereo at 192,000 Hz", frames([192_000], maxBytes / 2 - 100, 2));
addFrames("10 s at 44,100 Hz", frames([44_100], 441_000));
addFrames("10 s at 1,000 Hz", frames([1_000], 10_000));
for (const [name, bytes] of Object.entries({
  "empty audio frames": fillBytes("1200"),
  "empty messages": fillBytes("2200"),
  "empty samples": field(2, fillBytes("1a00")),
  "empty texts": field(4, fillBytes("0a00")),
  ids: field(2, fillBytes("0801")),
  "unknown fields": fillBytes("7801"),
  groups: fillBytes("0b"),
  "closed groups": field(2, fillBytes("7b7c")),
  "text that is not UTF-8": field(4, field(1, fillBytes("c3"))),
  zeros: fillBytes("00"),
  "an endless number": fillBytes("ff"),
}))
  addFrames(name, [bytes]);

const jsons: Readonly<Record<string, string>> = {
  "one text": `"${fill("x")}"`,
  "escaped text": `"${fill("\\u0041")}"`,
  "quotation marks": `"${fill('\\"')}"`,
  backslashes: `"${fill("\\\\")}`,
  "text of two bytes": `"${"é".repeat(500_000)}"`,
  "white space": `${fill(" ")}1`,
  "a long number": fill("1"),
  colons: fill(":"),
  "empty lists": `[${fill("[],")}0]`,
  "empty objects": `[${fill("{},")}0]`,
  "nested lists": fill("["),
  "nested objects": fill('{"a":'),
  "closing brackets": fill("]"),
  "many texts": `[${fill('"",')}""]`,
  "as many names as allowed": `{${list(19_900, (n) => `"${String(n).padEnd(47, "x")}":0`)}}`,
  "as many objects as allowed": `[${list(9_900, (n) => `{"${String(n).padEnd(95, "x")}":0}`)}]`,
  "too many names": `{${list(90_000, (n) => `"k${n}":0`)}}`,
};
for (const [name, json] of Object.entries(jsons))
  inputs.set(`JSON: ${name}`, { messages: [field(4, field(1, Buffer.from(json)))], process: receive() });

/** The same between the text message of a caller that speaks RTVI as JSON, and the bot's listeners. */
function receiveText(): Process {
  const decoder = createDecoder(() => undefined);
  const first = { label: "rtvi-ai", type: "client-message", id: "1", data: { t: "eval-connect" } };
  decoder.decode(Buffer.from(JSON.stringify(first)), false);
  const input = createInputAudio(16_000, createDropCounters(recordingLogger([])), systemClock);
  const transport = createListening();
  return (message) => {
    const frame = decoder.decode(message, false);
    if (frame?.kind === "audio") input.push(frame.audio);
    else if (frame?.kind === "message") transport.emit("appMessage", frame.message);
  };
}
function addText(name: string, count: number, type: string, data: object): void {
  const message = Buffer.from(JSON.stringify({ label: "rtvi-ai", type, id: "1", data }));
  inputs.set(`text: ${name}`, { messages: times(count, message), process: receiveText() });
}

addText("2,500 samples", 2_500, "raw-audio", { base64Audio: "AQA=", sampleRate: 16_000, numChannels: 1 });
addText("9 s of audio", 1, "raw-audio", { base64Audio: "AQAC".repeat(200_000), sampleRate: 32_000, numChannels: 1 });
addText("audio that is not base64", 1, "raw-audio", {
  base64Audio: `${"AQAC".repeat(249_000)}!`,
  sampleRate: 16_000,
  numChannels: 1,
});
addText("19,000 pieces of audio", 1, "raw-audio-batch", {
  base64AudioBatch: times(19_000, "AQAC".repeat(12)),
  sampleRate: 16_000,
  numChannels: 1,
});
addText("500 pieces of audio", 1, "raw-audio-batch", {
  base64AudioBatch: times(500, "AQAC".repeat(400)),
  sampleRate: 32_000,
  numChannels: 1,
});
addText("1 MiB of text", 1, "send-text", { content: fill("x").slice(1_000) });

for (const [name, bytes] of Object.entries({ "fill bytes": "ff", "empty segments": "ffe00002", zeros: "00" })) {
  const image = Buffer.concat([bytesOf("ffd8"), fillBytes(bytes).subarray(300_000)]).toString("base64");
  addText(`an image of 900 kB of ${name}`, 1, "client-message", { t: "eval-image", d: { image } });
}

const root = { ref: "e", role: "list" };
const nested = (levels: number) => times(levels, 0).reduce<object>((inner) => ({ ...root, children: [inner] }), root);
const rtvi: Readonly<Record<string, readonly [type: string, data: unknown]>> = {
  "a snapshot of 2,000 nodes": [
    "ui-snapshot",
    { tree: { root: { ...root, children: times(1_999, root) }, captured_at: 1 } },
  ],
  "a snapshot of 7,000 nodes": [
    "ui-snapshot",
    { tree: { root: { ...root, children: times(100, { ...root, children: times(65, root) }) }, captured_at: 1 } },
  ],
  "a snapshot of 28,000 levels": ["ui-snapshot", { tree: { root: nested(28_000), captured_at: 1 } }],
  "a snapshot of 45 levels with long names": [
    "ui-snapshot",
    { tree: { root: nested(45), captured_at: 1, padding: fill("x").slice(5_000) } },
  ],
  "a snapshot with 19,000 states": [
    "ui-snapshot",
    { tree: { root: { ...root, state: times(19_000, "focused") }, captured_at: 1 } },
  ],
  "500 pieces of audio": [
    "raw-audio-batch",
    { base64AudioBatch: times(500, "AQAC".repeat(500)), sampleRate: 16_000, numChannels: 2 },
  ],
  "19,000 pieces of audio": [
    "raw-audio-batch",
    { base64AudioBatch: times(19_000, "AQAC".repeat(12)), sampleRate: 16_000, numChannels: 1 },
  ],
  "130,000 pieces of audio": [
    "raw-audio-batch",
    { base64AudioBatch: times(130_000, "AQA="), sampleRate: 16_000, numChannels: 1 },
  ],
  "1 MiB of audio": ["raw-audio", { base64Audio: "AQAC".repeat(249_000), sampleRate: 16_000, numChannels: 1 }],
  "1 MiB that is not base64": [
    "raw-audio",
    { base64Audio: `${"AQAC".repeat(249_000)}!`, sampleRate: 16_000, numChannels: 1 },
  ],
  "19,000 keys": ["dtmf", { buttons: times(19_000, "1") }],
  "19,000 things that are not keys": ["dtmf", { buttons: times(19_000, "x") }],
  "19,000 arguments": [
    "llm-function-call-result",
    {
      function_name: "f",
      tool_call_id: "1",
      arguments: Object.fromEntries(list(19_000, (n) => [`a${n}`, 0]) as [string, number][]),
      result: "x",
    },
  ],
  "1 MiB of text": ["send-text", { content: fill("x").slice(60_000) }],
  "a file of 1 MiB": [
    "send-file",
    { content: "", file: { format: "x", source: { bytes: `data:;base64,${fill("AQAC").slice(60_000)}` } } },
  ],
  "1 MiB that is not a data URL": [
    "send-file",
    { content: "", file: { format: "x", source: { bytes: fill("data:;base64").slice(60_000) } } },
  ],
  "a file with 19,000 options": [
    "send-file",
    {
      content: "",
      file: { format: "x", source: { url: "x" } },
      options: { custom_options: Object.fromEntries(list(19_000, (n) => [`a${n}`, 0]) as [string, number][]) },
    },
  ],
  "a type of 1 MiB": [fill("x"), {}],
};
/** Messages from a transport that does not bound what it parses. */
function emit(): (message: unknown) => void {
  const transport = createListening();
  return (message) => transport.emit("appMessage", message);
}
for (const [name, [type, data]] of Object.entries(rtvi)) {
  const message = { label: "rtvi-ai", type, id: "1", data };
  const receiveMessage = emit();
  inputs.set(`RTVI: ${name}`, { messages: [Buffer.alloc(maxBytes)], process: () => receiveMessage(message) });
}
inputs.set("RTVI: an id of 1 MiB", {
  messages: [encodeMessage({ label: "rtvi-ai", type: "x", id: fill("x") })],
  process: receive(),
});
inputs.set("RTVI: 3,000 texts", {
  messages: times(3_000, encodeMessage({ label: "rtvi-ai", type: "send-text", id: "1", data: { content: "x" } })),
  process: receive(),
});

const wav = encodeWav({ samples: new Int16Array(maxBytes / 2 - 100), sampleRate: 16_000, channels: 1 });
/** Chunks without content, as many as fit. */
const chunks = Buffer.concat([Buffer.from(wav.subarray(0, 12)), fillBytes("6a756e6b00000000")]);
const attempt = (parse: Process) => (message: Uint8Array) => {
  try {
    return parse(message);
  } catch {
    return undefined; // Rejected.
  }
};
inputs.set("audio: mu-law", { messages: [fillBytes("55")], process: decodeMulaw });
inputs.set("audio: A-law", { messages: [fillBytes("55")], process: decodeAlaw });
inputs.set("audio: a WAV file", { messages: [wav], process: attempt(parseWav) });
inputs.set("audio: a WAV file with 130,000 chunks", { messages: [chunks], process: attempt(parseWav) });

test.each([...inputs])("%s", async (_, { messages, process: receiveMessage }) => {
  await expectCost(messages, receiveMessage, { messageMicros, byteMicros });
});

test("500 resamplers for one pair of rates create one kernel, which takes up to 3 ms", async () => {
  const create = () => {
    for (let count = 0; count < 500; count++) createResampler({ fromRate: 21_001, toRate: 16_000 });
  };
  expect(Math.min(await micros(create), await micros(create)) / 1_000, "ms").toBeLessThan(50);
});
