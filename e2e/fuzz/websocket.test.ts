import fc from "fast-check";
import { expect, test } from "vitest";
import { createDecoder, encodeAudio, encodeMessage } from "../../packages/runner-websocket/src/codec.ts";
import { fuzz } from "./fuzz.ts";

const samples = fc.int16Array({ maxLength: 2_000 });
const audio = fc
  .record({ samples, sampleRate: fc.integer({ min: 1, max: 200_000 }), channels: fc.integer({ min: 1, max: 8 }) })
  .map((frame) => encodeAudio(frame as Parameters<typeof encodeAudio>[0]));
const message = fc.jsonValue({ maxDepth: 20 }).map(encodeMessage);

/** Changes some bytes of a valid frame. */
const changed = fc
  .tuple(fc.oneof(audio, message), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }))
  .map(([bytes, changes]) => {
    const copy = Uint8Array.from(bytes);
    for (const [index, byte] of changes) copy[index % copy.length] = byte;
    return copy;
  });

const base64 = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const rtvi = fc.record({
  label: fc.constant("rtvi-ai"),
  type: fc.constantFrom("raw-audio", "raw-audio-batch", "client-message", "send-text"),
  data: fc.oneof(
    fc.record(
      {
        base64Audio: fc.oneof(base64, fc.jsonValue()),
        base64AudioBatch: fc.oneof(fc.array(base64, { maxLength: 3 }), fc.jsonValue()),
        sampleRate: fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.jsonValue()),
        numChannels: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    ),
    fc.record({ t: fc.constantFrom("eval-connect", "eval-cancel", "other"), d: fc.jsonValue() }),
    fc.jsonValue(),
  ),
});

test("text of any content is decoded or dropped", async () => {
  const texts = fc.oneof(
    rtvi.map((each) => JSON.stringify(each)),
    fc.json(),
    fc.string(),
  );
  let decoded = 0;
  let dropped = 0;
  await fuzz(fc.array(texts, { maxLength: 5 }), (messages) => {
    const decoder = createDecoder(() => undefined);
    for (const each of messages) if (decoder.decode(Buffer.from(each), false)) decoded++;
    dropped += decoder.dropped;
  });
  expect(Math.min(decoded, dropped)).toBeGreaterThan(100);
});

test("protobuf frames of any content are decoded or dropped", async () => {
  const decoder = createDecoder(() => undefined);
  let decoded = 0;
  await fuzz(fc.oneof(audio, message, changed, fc.uint8Array({ maxLength: 500 })), (bytes) => {
    if (decoder.decode(bytes, true)) decoded++;
  });
  expect(Math.min(decoded, decoder.dropped)).toBeGreaterThan(100);
});
