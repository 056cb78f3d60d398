import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { countResources, resourceGrowth, settleResources, watchTimers } from "./resources.ts";

test("a server, a socket, a timer and a listener are counted until they are closed", async () => {
  const before = countResources();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const socket = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
  await once(socket, "connect");
  // Several, because the test runner's own timers may end between the two counts.
  const timers = Array.from({ length: 10 }, () => setTimeout(() => undefined, 60_000));
  const listener = () => undefined;
  process.on("SIGUSR2", listener);

  const growth = resourceGrowth(before, countResources()).join("\n");
  for (const kind of ["TCPServerWrap", "TCPSocketWrap", "Timeout", "process.on(SIGUSR2)"])
    expect(growth).toContain(kind);
  if (process.platform === "linux") expect(growth).toContain("file descriptors");
  expect(await settleResources(before, 50)).not.toEqual([]);

  socket.destroy();
  server.close();
  for (const timer of timers) clearTimeout(timer);
  process.off("SIGUSR2", listener);
  expect(await settleResources(before)).toEqual([]);
});

test("a smaller count is not growth", () => {
  const before = countResources();
  expect(resourceGrowth({ ...before, handles: { ...before.handles, Timeout: 99 } }, before)).toEqual([]);
});

test("watchTimers names intervals and long timers until they are cleared, also after unref()", async () => {
  const timers = watchTimers();
  const watched = [setTimeout(() => undefined, 60_000).unref(), setInterval(() => undefined, 900)];
  const short = setTimeout(() => undefined, 900);
  const here = expect.stringContaining("resources.test.ts");
  expect(await timers.running()).toEqual([here, here]);
  for (const timer of [...watched, short]) clearTimeout(timer);
  expect(await timers.running()).toEqual([]);
  timers.stop();
});
