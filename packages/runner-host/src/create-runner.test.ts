import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createRunner } from "./create-runner.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { recordLog, startRunner } from "./test/fixture.ts";

const ended = (log: ReturnType<typeof recordLog>) =>
  log.messages("info").filter((line) => line.startsWith("session ended"));

test("localhost answers on both loopback addresses, by the real port", async () => {
  await using host = await startRunner();
  const { hostname, port } = host.runner.url;
  expect([hostname, Number(port)]).toEqual(["localhost", expect.any(Number)]);
  expect(Number(port)).toBeGreaterThan(0);
  for (const name of ["localhost", "127.0.0.1", "[::1]"]) {
    expect((await fetch(`http://${name}:${port}/livez`)).status).toBe(200);
  }
});

test("every network is one address, shown as localhost", async () => {
  await using host = await startRunner({ host: "0.0.0.0" });
  expect(host.runner.url.hostname).toBe("localhost");
  expect((await fetch(`http://127.0.0.1:${host.runner.url.port}/livez`)).status).toBe(200);
});

test.each(["127.0.0.1", "::1"])("a port in use on %s is said so, and nothing stays open", async (address) => {
  const taken = createServer().listen(0, address);
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const close = vi.fn(async () => undefined);
  const plugins = [fakePlugin({ opened: { close } })];
  const runner = createRunner({ bot: () => undefined, plugins, port, logger: recordLog() });
  await expect(runner.listen()).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: `Port ${port} is in use on ${address}.`,
  });
  expect(close).toHaveBeenCalledTimes(1);
  taken.close();
  await once(taken, "close");
  // Whatever was bound before the failure is free again.
  for (const loopback of ["127.0.0.1", "::1"]) {
    const again = createServer().listen(port, loopback);
    await once(again, "listening");
    again.close();
  }
});

test("an address that this machine does not have is an option's fault", async () => {
  const runner = createRunner({ bot: () => undefined, host: "203.0.113.7", port: 0, logger: recordLog() });
  await expect(runner.listen()).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("before listen() there is no URL and there are no transports; after close() there is no listen()", async () => {
  const runner = createRunner({ bot: () => undefined, plugins: [fakePlugin()], port: 0, logger: recordLog() });
  expect(() => runner.url).toThrow("before listen()");
  expect(runner.transports).toEqual([]);
  await runner.close();
  await expect(runner.listen()).rejects.toThrow("closed");
});

test("listening twice is once", async () => {
  const open = vi.fn(() => ({ close: async () => undefined }));
  await using host = await startRunner({ plugins: [fakePlugin({ open })] });
  await host.runner.listen();
  expect(open).toHaveBeenCalledTimes(1);
});

test("two runners in one process know nothing of each other", async () => {
  await using one = await startRunner();
  await using two = await startRunner();
  const { id } = await one.call();
  expect(two.runner.sessions.find(id)).toBeUndefined();
  expect(one.runner.sessions.counts.active).toBe(1);
  expect(two.runner.sessions.counts.active).toBe(0);
});

test("RTVI's client-ready is answered though the bot knows nothing of it, and a bot's message passes", async () => {
  const { connectOf } = await import("@pipecat-ts/runner-core");
  await using host = await startRunner({
    bot: async (args) => {
      const transport = await connectOf(args)({});
      await transport.closed;
    },
  });
  const { socket } = await host.call();
  await expect.poll(() => host.log.messages("info")).toContain("session started");
  socket.send(
    JSON.stringify({
      label: "rtvi-ai",
      type: "client-ready",
      id: "abcd1234",
      data: { version: "2.1.0", about: { library: "x" } },
    }),
  );
  const [data] = await once(socket, "message");
  expect(JSON.parse(String(data))).toMatchObject({ label: "rtvi-ai", type: "bot-ready", id: "abcd1234" });
  socket.close();
  await expect.poll(() => host.runner.sessions.counts.active).toBe(0);
  expect(ended(host.log)).toEqual(["session ended: caller-left"]);
});

test("draining: not ready, the pending sent away, live calls go on until they end", async () => {
  await using host = await startRunner();
  const { socket, id } = await host.call();
  const waiting = String((await host.post("/start")).body.id);
  let drained = false;
  const drain = host.runner.drain().then(() => {
    drained = true;
  });
  await expect.poll(async () => (await host.fetch("/readyz")).status).toBe(503);
  expect(await (await host.fetch("/readyz")).json()).toMatchObject({ code: "DRAINING" });
  expect((await host.fetch("/livez")).status).toBe(200);
  const refused = await host.post("/start");
  expect([refused.status, refused.body.code]).toEqual([503, "DRAINING"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(host.runner.sessions.find(waiting)).toBeUndefined();
  expect([drained, socket.readyState]).toEqual([false, WebSocket.OPEN]);
  void host.runner.sessions.find(id)?.end("ended-by-request");
  await drain;
  await expect(host.fetch("/livez")).rejects.toThrow();
  await host.runner.drain();
});

test("at the end of the shutdown timeout the live ones are ended", async () => {
  await using host = await startRunner({ shutdownTimeoutMs: 50 });
  const { socket } = await host.call();
  const closed = once(socket, "close");
  await host.runner.drain();
  await closed;
  expect(ended(host.log)).toEqual(["session ended: shutdown"]);
  expect(host.log.messages("warn").join()).toContain("1 sessions still run");
});

test("close() cuts a drain short", async () => {
  await using host = await startRunner();
  await host.call();
  const drain = host.runner.drain();
  await host.runner.close();
  await drain;
  expect(host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("closing aborts the bots, says goodbye to their sockets, and waits 2 s at most for a bot that does not listen", async () => {
  await using host = await startRunner({ bot: () => new Promise(() => undefined) });
  const { socket } = await host.call();
  const idle = fetch(new URL("/livez", host.runner.url));
  await (await idle).text();
  const closed = once(socket, "close");
  const from = performance.now();
  await Promise.all([host.runner.close(), host.runner.close()]);
  const tookMs = performance.now() - from;
  expect(tookMs).toBeGreaterThan(1_900);
  expect(tookMs).toBeLessThan(6_000);
  await closed;
  expect(ended(host.log)).toEqual(["session ended: shutdown"]);
});

test("a plugin that fails to close, or never does, does not hold the others up", async () => {
  const close = vi.fn(async () => undefined);
  const plugins = [
    fakePlugin({ name: "throws", opened: { sockets: [], close: () => Promise.reject(new Error("stuck")) } }),
    fakePlugin({ name: "hangs", opened: { sockets: [], close: () => new Promise(() => undefined) } }),
    fakePlugin({ opened: { close } }),
  ];
  const host = await startRunner({ plugins });
  await host.runner.close();
  expect(close).toHaveBeenCalledTimes(1);
  expect(host.log.messages("error").toSorted()).toEqual([
    "the transport failed to close",
    "the transport is not closed after 2 s",
  ]);
});

test("a bot without a server handles signals itself, and the runner closes after it", async () => {
  const seen: unknown[] = [];
  const close = vi.fn(async () => undefined);
  const plugin = fakePlugin({
    open: (runner) => ({
      async direct() {
        const session = runner.createSession();
        session.run({ transport: "fake" }, () => Promise.reject(new Error("not asked for")));
        await session.ended;
      },
      close,
    }),
  });
  const bot = (args: object) => void seen.push(args);
  const runner = createRunner({ bot, plugins: [plugin], logger: recordLog(), env: {} });
  await runner.direct("fake");
  expect(seen).toMatchObject([{ handleSigint: true, handleSigterm: true, transport: "fake" }]);
  expect(close).toHaveBeenCalledTimes(1);
  const unnamed = createRunner({
    bot,
    plugins: [fakePlugin({ name: "served" }), plugin],
    logger: recordLog(),
    env: {},
  });
  await unnamed.direct();
  expect(seen).toHaveLength(2);
  for (const name of ["fake", undefined]) {
    const without = createRunner({ bot, plugins: [fakePlugin()], logger: recordLog(), env: {} });
    await expect(without.direct(name)).rejects.toMatchObject({ code: "TRANSPORT_UNAVAILABLE" });
  }
  await expect(createRunner({ bot, logger: recordLog() }).direct("fake")).rejects.toMatchObject({
    code: "TRANSPORT_UNKNOWN",
  });
});
