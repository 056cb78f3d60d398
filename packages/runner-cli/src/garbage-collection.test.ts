import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { returnMemory } from "./garbage-collection.ts";

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

test.each([
  ["under Bun", () => vi.spyOn(process, "versions", "get").mockReturnValue({ ...process.versions, bun: "1.4.5" })],
  ["under Deno", () => vi.spyOn(process, "versions", "get").mockReturnValue({ ...process.versions, deno: "2.9.6" })],
  ["with --optimize-for-size", () => vi.spyOn(process, "execArgv", "get").mockReturnValue(["--optimize-for-size"])],
])("%s, no collections are begun", (_, mock) => {
  const mocks = [mock(), vi.spyOn(globalThis, "setInterval")] as const;
  onTestFinished(() => {
    for (const each of mocks) each.mockRestore();
  });
  returnMemory();
  expect(mocks[1]).not.toHaveBeenCalled();
});

test("without a free file descriptor, memory is measured later", () => {
  const measuring = vi.spyOn(globalThis, "setInterval");
  const failing = vi.spyOn(process.memoryUsage, "rss").mockImplementation(() => {
    throw new Error("EMFILE: too many open files, uv_resident_set_memory");
  });
  onTestFinished(() => {
    measuring.mockRestore();
    failing.mockRestore();
  });
  returnMemory(3_600_000);
  const measure = measuring.mock.calls[0]?.[0] ?? expect.fail("Nothing is measured.");
  measure();
  expect(failing).toHaveBeenCalledOnce();
  clearInterval(measuring.mock.results[0]?.value);
});
