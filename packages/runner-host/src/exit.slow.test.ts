import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** The program of a process: it opens a runner, connects callers of every kind, and closes the runner. */
const program = `
import { once } from "node:events";
import { connect } from "node:net";
import { startRunner } from ${JSON.stringify(new URL("test/fixture.ts", import.meta.url).href)};

const host = await startRunner({ bot: ({ body, signal }) => {
  if (body === "crash") throw new Error("crashed");
  if (body === "stuck") return new Promise(() => undefined);
  return new Promise((resolve) => signal.addEventListener("abort", resolve));
} });
const keptAlive = await host.fetch("/livez");
await keptAlive.text();
await host.post("/start");
await host.call("crash");
await host.call("stuck");
const { socket } = await host.call("leaves");
socket.close();
await host.call("stays");
const silent = connect(Number(host.runner.url.port), "127.0.0.1");
await once(silent, "connect");
const incomplete = connect(Number(host.runner.url.port), "127.0.0.1");
incomplete.write("POST /start HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n\\r\\n{");
await Promise.all([host.runner.close(), Promise.resolve(silent.resume()), Promise.resolve(incomplete.resume())]);
// The clients' ends of the connections close a moment later.
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ open: process.getActiveResourcesInfo(), counts: host.runner.sessions.counts }));
`;

test("after close(), nothing is left open and the process ends", async () => {
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });
  const { open, counts } = JSON.parse((await run).stdout);
  expect(counts).toEqual({ pending: 0, active: 0 });
  expect(open.filter((resource: string) => !/^(PipeWrap|TTYWrap)$/.test(resource))).toEqual([]);
});
