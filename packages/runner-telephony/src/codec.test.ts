import { encodePcm16 } from "@pipecat-ts/audio";
import { expect, test } from "vitest";
import { createPcmReader } from "./codec.ts";

test("joins samples that are cut anywhere", () => {
  const samples = Int16Array.from({ length: 1_000 }, (_, n) => n * 7 - 3_000);
  const bytes = Buffer.from(encodePcm16(samples));
  const read = createPcmReader();
  const out: number[] = [];
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size % 9) + 1)
    out.push(...read(bytes.subarray(at, at + size)));
  expect(out).toEqual([...samples]);
});
