import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ProcessesFixture, startGateway } from "./test/processes.ts";

// Gateway, workers and callers are processes of their own: a message that arrives while its socket is on the way to the worker must not be
// lost.

let host: ProcessesFixture;
beforeAll(async () => {
  host = await startGateway({ workerSessions: 100, maxWorkers: 2, warmWorkers: 2 });
});
afterAll(async () => await host[Symbol.asyncDispose]());

const program = join(import.meta.dirname, "test/callers-program.ts");

test.each([
  ["one after the other", "1", "after-open"],
  ["30 at once", "30", "after-open"],
  ["30 at once, with the message in the packet of the request", "30", "with-request"],
])("1,000 of 1,000 first messages survive the hand-over: %s", async (_, atATime, when) => {
  const url = new URL("/fake", host.gateway.url).href;
  const { stdout } = await promisify(execFile)(process.execPath, [program, url, "1000", atATime, when]);
  expect(Number(stdout)).toBe(1_000);
  await expect.poll(() => host.gateway.sessions.counts).toEqual({ pending: 0, active: 0 });
});
