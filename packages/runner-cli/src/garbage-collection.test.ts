import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Prints the niceness of the threads of a process that has called `tuneGarbageCollection`, by name. */
const program = `
import { readdirSync, readFileSync } from "node:fs";
import { tuneGarbageCollection } from ${JSON.stringify(import.meta.resolve("./garbage-collection.ts"))};
tuneGarbageCollection();
const threads = readdirSync("/proc/self/task").map((thread) => {
  const [, name, fields] = /\\((.*)\\) (.*)/.exec(readFileSync("/proc/self/task/" + thread + "/stat", "utf8"));
  return [name, Number(fields.split(" ")[16])];
});
console.log(JSON.stringify(threads));
`;

test.runIf(process.platform === "linux")("V8's helper threads yield to the main thread", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  const threads = JSON.parse(stdout) as [name: string, niceness: number][];
  const helpers = threads.filter(([name]) => name === "V8Worker");
  const others = threads.filter(([name]) => name !== "V8Worker");
  expect(helpers.length).toBeGreaterThan(0);
  expect(new Set(helpers.map(([, niceness]) => niceness))).toEqual(new Set([10]));
  expect(Math.max(...others.map(([, niceness]) => niceness))).toBeLessThan(10);
});
