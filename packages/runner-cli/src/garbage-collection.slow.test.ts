import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Allocates all the time, and keeps 250 MB for a while. Prints its resident memory at its peak and in the 6 s after it, in MB. */
const program = `
import { setTimeout as sleep } from "node:timers/promises";
import { returnMemory } from ${JSON.stringify(import.meta.resolve("./garbage-collection.ts"))};
returnMemory(300);
const objects = (length) => Array.from({ length }, (_, index) => ({ index, square: index ** 2 }));
setInterval(() => objects(10_000), 5).unref();
await sleep(1_000);
let kept = [];
for (let step = 0; step < 200; step++) {
  kept.push(objects(20_000));
  await sleep(2);
}
const mb = () => process.memoryUsage.rss() / 1e6;
const peak = mb();
kept = undefined;
const after = [];
for (let step = 0; step < 30; step++) {
  await sleep(200);
  after.push(mb());
}
console.log(JSON.stringify({ peak, after }));
`;

test("memory of a burst is returned to the system, also while the program is busy", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  const { peak, after } = JSON.parse(stdout) as { readonly peak: number; readonly after: readonly number[] };
  expect(peak).toBeGreaterThan(250);
  expect(Math.min(...after)).toBeLessThan(peak / 2);
});
