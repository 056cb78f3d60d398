import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** What a process runs that opens a runner, has every kind of caller, closes it, and has nothing else to do. */
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
const half = connect(Number(host.runner.url.port), "127.0.0.1");
half.write("POST /start HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n\\r\\n{");
await Promise.all([host.runner.close(), Promise.resolve(silent.resume()), Promise.resolve(half.resume())]);
// The client's ends of the connections learn of it a turn later.
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ left: process.getActiveResourcesInfo(), counts: host.runner.sessions.counts }));
`;

test("after close() nothing is left open, and the process ends by itself", async () => {
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });
  const { left, counts } = JSON.parse((await run).stdout);
  expect(counts).toEqual({ pending: 0, active: 0 });
  expect(left.filter((resource: string) => !/^(PipeWrap|TTYWrap)$/.test(resource))).toEqual([]);
});
