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

test("protobuf frames of any content are decoded or dropped", async () => {
  const decoder = createDecoder(() => undefined);
  let decoded = 0;
  await fuzz(fc.oneof(audio, message, changed, fc.uint8Array({ maxLength: 500 })), (bytes) => {
    if (decoder.decode(bytes, true)) decoded++;
  });
  expect(Math.min(decoded, decoder.dropped)).toBeGreaterThan(100);
});
