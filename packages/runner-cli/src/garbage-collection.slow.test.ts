import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Allocates all the time, as calls whose audio waits in queues do, and keeps 250 MB for a while. Prints the resident memory at its peak and the least in the 20 s after it, in MB. */
const program = `
import { setTimeout as sleep } from "node:timers/promises";
import { returnMemory } from ${JSON.stringify(import.meta.resolve("./garbage-collection.ts"))};
returnMemory(100);
const objects = (length) => Array.from({ length }, (_, index) => ({ index, square: index ** 2 }));
const queue = [];
setInterval(() => {
  queue.push(objects(2_000));
  if (queue.length > 50) queue.shift();
}, 5).unref();
await sleep(1_000);
let kept = [];
for (let step = 0; step < 200; step++) {
  kept.push(objects(20_000));
  await sleep(2);
}
const mb = () => process.memoryUsage.rss() / 1e6;
const peak = mb();
let least = peak;
kept = undefined;
for (let step = 0; step < 100 && least > peak / 2; step++) {
  await sleep(200);
  least = Math.min(least, mb());
}
console.log(JSON.stringify({ peak, least }));
`;

test("memory of a burst is returned to the system, also while the program is busy", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  const { peak, least } = JSON.parse(stdout) as { readonly peak: number; readonly least: number };
  expect(peak).toBeGreaterThan(250);
  expect(least).toBeLessThan(peak / 2);
});
