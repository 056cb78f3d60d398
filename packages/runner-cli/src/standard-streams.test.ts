import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { boundOutput } from "./standard-streams.ts";

test("output is dropped and counted while more than 1 MiB waits, and callbacks of dropped writes are called", async () => {
  let release: (() => void) | undefined;
  const stream = new Writable({
    write(_chunk, _encoding, done) {
      release = done;
    },
  });
  let dropped = 0;
  boundOutput(stream as never, () => {
    dropped += 1;
  });
  for (let count = 0; count < 3_000; count++) stream.write("x".repeat(1_000));
  expect(stream.writableLength).toBe(1_049_000);
  expect(dropped).toBe(3_000 - 1_049);
  await new Promise<void>((resolve) => stream.write("more", "utf8", () => resolve()));
  expect(dropped).toBe(3_001 - 1_049);

  while (stream.writableLength > 0) release?.();
  let printed = false;
  stream.write("again", () => {
    printed = true;
  });
  release?.();
  await expect.poll(() => printed).toBe(true);
  expect(dropped).toBe(3_001 - 1_049);
});
