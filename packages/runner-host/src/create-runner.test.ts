import { once } from "node:events";
import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { get } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { RunnerContext, Session, SessionArguments } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createRunner } from "./create-runner.ts";
import type { RunnerOptions } from "./runner.ts";
import { fakePlugin, neverConnected } from "./test/fake-plugin.ts";
import { connect, createRecordedLog, startRunner } from "./test/fixture.ts";

/** The reasons of ended sessions. */
const ended = (log: ReturnType<typeof createRecordedLog>) =>
  log.lines.filter(({ message }) => message === "session ended").map(({ fields }) => fields.reason);

test("localhost opens both loopback addresses, on one port", async () => {
  await using host = await startRunner();
  const { hostname, port } = host.runner.url;
  expect([hostname, Number(port)]).toEqual(["localhost", expect.any(Number)]);
  expect(Number(port)).toBeGreaterThan(0);
  for (const name of ["localhost", "127.0.0.1", "[::1]"]) {
    expect((await fetch(`http://${name}:${port}/livez`)).status).toBe(200);
  }
});

test("a runner without a bot is rejected when it is created", () => {
  expect(() => createRunner({} as never)).toThrow(
    expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringContaining("undefined is not a function"),
    }),
  );
});

test("0.0.0.0 is one address, and the URL has localhost", async () => {
  await using host = await startRunner({ host: "0.0.0.0" });
  expect(host.runner.url.hostname).toBe("localhost");
  expect((await fetch(`http://127.0.0.1:${host.runner.url.port}/livez`)).status).toBe(200);
});

test.each(["127.0.0.1", "::1"])(
  "a port in use on %s rejects with PORT_IN_USE, and nothing stays open",
  async (address) => {
    const taken = createServer().listen(0, address);
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const close = vi.fn(async () => undefined);
    const plugins = [fakePlugin({ opened: { close } })];
    const runner = createRunner({ bot: () => undefined, plugins, port, logger: createRecordedLog() });
    await expect(runner.listen()).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `Port ${port} is in use on ${address}.`,
    });
    await runner.close();
    expect(close).toHaveBeenCalledTimes(1);
    taken.close();
    await once(taken, "close");
    // Both addresses are free again.
    for (const loopback of ["127.0.0.1", "::1"]) {
      const again = createServer().listen(port, loopback);
      await once(again, "listening");
      again.close();
    }
  },
);

test("a host that is not an address of this machine rejects with OPTION_INVALID", async () => {
  const runner = createRunner({ bot: () => undefined, host: "203.0.113.7", port: 0, logger: createRecordedLog() });
  await expect(runner.listen()).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("before listen(), the URL throws and transports are empty; after close(), listen() rejects", async () => {
  const runner = createRunner({ bot: () => undefined, plugins: [fakePlugin()], port: 0, logger: createRecordedLog() });
  expect(() => runner.url).toThrow("before listen()");
  expect(runner.transports).toEqual([]);
  await runner.close();
  await expect(runner.listen()).rejects.toThrow("closed");
});

test("a second listen() opens nothing", async () => {
  const open = vi.fn(() => ({ close: async () => undefined }));
  await using host = await startRunner({ plugins: [fakePlugin({ open })] });
  await host.runner.listen();
  expect(open).toHaveBeenCalledTimes(1);
});

test("two runners in one process are independent", async () => {
  await using one = await startRunner();
  await using two = await startRunner();
  const { id } = await one.call();
  expect(two.runner.sessions.find(id)).toBeUndefined();
  expect(one.runner.sessions.counts.active).toBe(1);
  expect(two.runner.sessions.counts.active).toBe(0);
});

test("the host answers RTVI's client-ready for a bot that does not", async () => {
  await using host = await startRunner({
    bot: async (args) => {
      const transport = await connect(args);
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
  expect(ended(host.log)).toEqual(["caller-left"]);
});

test("while draining, /readyz gets 503, pending sessions end, and active ones continue until they end", async () => {
  await using host = await startRunner();
  const { socket, id } = await host.call();
  const pending = String((await host.post("/start")).body.id);
  let drained = false;
  const drain = host.runner.drain().then(() => {
    drained = true;
  });
  await expect.poll(async () => (await host.fetch("/readyz")).status).toBe(503);
  expect(await (await host.fetch("/readyz")).json()).toMatchObject({ code: "DRAINING" });
  expect((await host.fetch("/livez")).status).toBe(200);
  const rejected = await host.post("/start");
  expect([rejected.status, rejected.body.code]).toEqual([503, "DRAINING"]);
  expect(Number(rejected.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(host.runner.sessions.find(pending)).toBeUndefined();
  expect([drained, socket.readyState]).toEqual([false, WebSocket.OPEN]);
  void host.runner.sessions.find(id)?.end("ended-by-request");
  await drain;
  await expect(host.fetch("/livez")).rejects.toThrow();
  await host.runner.drain();
});

test("live sessions are ended when the shutdown timeout passes", async () => {
  await using host = await startRunner({ shutdownTimeoutMs: 50 });
  const { socket } = await host.call();
  const closed = once(socket, "close");
  await host.runner.drain();
  await closed;
  expect(ended(host.log)).toEqual(["shutdown"]);
  expect(host.log.messages("warn").join()).toContain("shutdown timeout reached");
});

test("close() ends a drain early", async () => {
  await using host = await startRunner();
  await host.call();
  const drain = host.runner.drain();
  await host.runner.close();
  await drain;
  expect(host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("close() aborts the bots, closes their sockets, and waits at most 2 s for a bot that ignores its signal", async () => {
  await using host = await startRunner({ bot: () => new Promise(() => undefined) });
  const { socket } = await host.call();
  const idle = fetch(new URL("/livez", host.runner.url));
  await (await idle).text();
  const closed = once(socket, "close");
  const fromMs = performance.now();
  await Promise.all([host.runner.close(), host.runner.close()]);
  const tookMs = performance.now() - fromMs;
  expect(tookMs).toBeGreaterThan(1_900);
  expect(tookMs).toBeLessThan(6_000);
  await closed;
  expect(ended(host.log)).toEqual(["shutdown"]);
});

test("a plugin that fails to close, or never closes, does not delay the others", async () => {
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
    "transport did not close in time",
    "transport failed to close",
  ]);
});

test("direct() runs one bot, which handles signals itself, and then closes the runner", async () => {
  const seen: unknown[] = [];
  const close = vi.fn(async () => undefined);
  const plugin = fakePlugin({
    open: (runner) => ({
      advanced: {
        async direct() {
          const session = runner.createSession();
          session.run<SessionArguments<"fake">>({}, neverConnected);
          await session.ended;
        },
      },
      close,
    }),
  });
  const bot = (args: object) => void seen.push(args);
  const runner = createRunner({ bot, plugins: [plugin], logger: createRecordedLog(), env: {} });
  await runner.direct("fake");
  expect(seen).toMatchObject([{ handleSigint: true, handleSigterm: true, transport: "fake" }]);
  expect(close).toHaveBeenCalledTimes(1);
  const unnamed = createRunner({
    bot,
    plugins: [fakePlugin({ name: "served" }), plugin],
    logger: createRecordedLog(),
    env: {},
  });
  await unnamed.direct();
  expect(seen).toHaveLength(2);
  for (const name of ["fake", undefined]) {
    const without = createRunner({ bot, plugins: [fakePlugin()], logger: createRecordedLog(), env: {} });
    await expect(without.direct(name)).rejects.toMatchObject({ code: "TRANSPORT_UNAVAILABLE" });
  }
  await expect(createRunner({ bot, logger: createRecordedLog() }).direct("fake")).rejects.toMatchObject({
    code: "TRANSPORT_UNKNOWN",
  });
});

test("a runner that is closed while direct() opens its transports closes them, and runs no bot", async () => {
  const opening = Promise.withResolvers<void>();
  const close = vi.fn(async () => undefined);
  const direct = vi.fn(async () => undefined);
  const plugin = fakePlugin({
    async open() {
      await opening.promise;
      return { advanced: { direct }, close };
    },
  });
  const runner = createRunner({ bot: () => undefined, plugins: [plugin], logger: createRecordedLog(), env: {} });
  const ran = runner.direct();
  const closed = runner.close();
  opening.resolve();
  await Promise.all([ran, closed]);
  expect(close).toHaveBeenCalledTimes(1);
  expect(direct).not.toHaveBeenCalled();
});

test.each([
  [{ publicUrl: "https://bots.example.com/voice" }, "wss://bots.example.com/voice/fake/"],
  [{ publicUrl: "http://10.0.0.7:7860" }, "ws://10.0.0.7:7860/fake/"],
])("socketUrl has the scheme ws or wss and ends with the session's credential: %j", async (options, start) => {
  const opened: { session: Session; url: URL }[] = [];
  const open = (runner: RunnerContext) => {
    const session = runner.createSession();
    opened.push({ session, url: runner.socketUrl(session, "/fake") });
    return {};
  };
  await using _host = await startRunner({ plugins: [fakePlugin({ open })], ...options });
  expect(opened.map(({ url }) => url.href)).toEqual([`${start}${opened[0]?.session.id}`]);
});

test("handleUncaught ends the session whose code failed, and returns false for other code", async () => {
  let fail: () => void = () => undefined;
  const handled: boolean[] = [];
  await using host = await startRunner({
    bot: async ({ session, signal }) => {
      fail = session.bind(() => void handled.push(host.runner.handleUncaught(new Error("failed in a timer"))));
      await once(signal, "abort");
    },
  });
  await host.call();
  await expect.poll(() => host.runner.sessions.counts.active).toBe(1);
  fail();
  expect([handled, host.runner.handleUncaught(new Error("elsewhere"))]).toEqual([[true], false]);
  await expect.poll(() => ended(host.log)).toEqual(["bot-failed"]);
  expect(host.log.messages("error")).toEqual(["bot failed"]);
});

/** Calls a bot that throws, and returns the messages that a client receives until the call ends. */
async function callThrowingBot(
  options: Partial<RunnerOptions>,
  error: Error = new TypeError("no microphone"),
): Promise<unknown[]> {
  await using host = await startRunner({ bot: () => Promise.reject(error), ...options });
  const { runner } = host;
  const body = JSON.stringify({});
  const headers = { "content-type": "application/json", authorization: `Bearer ${options.apiKey}` };
  const response = await fetch(new URL("/start", runner.url), { method: "POST", headers, body });
  const socket = new WebSocket(new URL(`/fake/${((await response.json()) as { id: string }).id}`, runner.url));
  const messages: unknown[] = [];
  socket.on("message", (data) => messages.push(JSON.parse(String(data))));
  socket.on("open", () => {
    socket.send(JSON.stringify({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } }));
  });
  await once(socket, "close");
  return messages;
}

test("the client of a bot that throws gets the message, with the place", async () => {
  expect(await callThrowingBot({})).toMatchObject([
    { type: "bot-ready" },
    {
      label: "rtvi-ai",
      type: "error",
      data: { error: expect.stringContaining("TypeError: no microphone"), fatal: true },
    },
  ]);
});

test.each([
  ["no model", "no model. Load one."],
  ["No model!", "No model! Load one."],
])(
  'after the message "%s", the client of a bot that throws gets the fix as a sentence of its own',
  async (message, text) => {
    const messages = await callThrowingBot({}, Object.assign(new Error(message), { fix: "Load one." }));
    expect(messages.at(-1)).toMatchObject({ type: "error", data: { error: text } });
  },
);

test.each<[string, Partial<RunnerOptions>]>([
  ["has an API key", { apiKey: "0123456789abcdef" }],
  ["has a public URL", { publicUrl: "https://bots.example.com" }],
  ["listens on all networks", { host: "0.0.0.0" }],
  ["trusts a proxy", { trustProxy: true }],
])("the client of a bot that throws is told nothing when the runner %s", async (_, options) => {
  expect(JSON.stringify(await callThrowingBot(options))).not.toContain("microphone");
});

test("attach listens on a Unix socket, and takes connections of callers; URLs name the given one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "attach-"));
  const path = join(folder, "runner.sock");
  const plugins = [fakePlugin()];
  const runner = createRunner({ bot: () => undefined, plugins, logger: createRecordedLog(), env: {} });
  const server = await runner.attach(path, new URL("http://localhost:4711"));
  expect(runner.url.href).toBe("http://localhost:4711/");
  await expect(runner.attach(path, new URL("http://localhost:4711"))).rejects.toThrow("once");

  const acceptor = createServer((connection) => server.emit("connection", connection));
  await once(acceptor.listen(0, "127.0.0.1"), "listening");
  const { port } = acceptor.address() as AddressInfo;
  expect(await (await fetch(`http://127.0.0.1:${port}/status`)).json()).toMatchObject({ transports: ["fake"] });
  const [overSocket] = await once(
    get({ socketPath: path, path: "/status", headers: { host: "localhost" } }),
    "response",
  );
  expect(JSON.parse(await text(overSocket))).toMatchObject({ transports: ["fake"] });

  const closed = once(acceptor, "close");
  acceptor.close();
  await runner.close();
  await closed; // The runner closed the connection that fetch keeps open.
  expect(readdirSync(folder)).toEqual([]);
  rmdirSync(folder);
});
