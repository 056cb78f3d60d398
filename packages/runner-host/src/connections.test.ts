import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { type ConnectionLimits, createConnectionGuard, defaultLimits } from "./connections.ts";
import { createRecordedLog, startRunner } from "./test/fixture.ts";

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that reads the body of each request, and answers `/wait` only when the client is gone. */
async function startServer(limits: Partial<ConnectionLimits>) {
  const logger = createRecordedLog();
  const [connectionRefused, countRejection] = [vi.fn(), vi.fn()];
  const guard = createConnectionGuard({ ...defaultLimits(10), ...limits }, logger, {
    connectionRefused,
    countRejection,
  });
  const server = createServer({ keepAliveTimeout: 60_000 });
  guard.attach(server);
  server.on("request", async (request, response) => {
    try {
      const { length } = await text(request);
      if (request.url !== "/wait") response.end(String(length));
    } catch {
      // The client is gone.
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  const { port } = server.address() as AddressInfo;

  function dial(): Socket {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    sockets.push(socket);
    return socket;
  }

  /** The response to these bytes. */
  async function send(...parts: readonly string[]): Promise<string> {
    const socket = dial();
    for (const part of parts) socket.write(part);
    let received = "";
    for await (const data of socket) {
      received += data;
      if (/\r\n\r\n./s.test(received)) break;
    }
    return received;
  }

  return { dial, send, logger, connectionRefused, countRejection };
}

const chunked = (path = "/") => `POST ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
const piece = (length: number) => `${length.toString(16)}\r\n${"x".repeat(length)}\r\n`;
const end = "0\r\n\r\n";

/** Resolves to whether the connection is still open when the server has seen it. */
async function isAccepted(socket: Socket): Promise<boolean> {
  if (socket.connecting) await once(socket, "connect");
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return await Promise.race([once(socket, "data").then(() => true), once(socket, "close").then(() => false)]);
}

test.each([
  ["connections", "all clients"],
  ["connectionsPerClient", "one client"],
] as const)(
  "the limit %s closes further connections, until one ends; logged once, counted each time",
  async (limit, reason) => {
    const { dial, logger, connectionRefused } = await startServer({ [limit]: 2 });
    const open = [dial(), dial()];
    expect(await Promise.all(open.map(isAccepted))).toEqual([true, true]);
    expect([await isAccepted(dial()), await isAccepted(dial())]).toEqual([false, false]);
    expect(connectionRefused.mock.calls).toEqual([[reason], [reason]]);
    expect(logger.lines).toMatchObject([{ level: "warn", fields: { reason } }]);
    open[0]?.destroy();
    await expect.poll(() => isAccepted(dial())).toBe(true);
  },
);

test("connections above the highest descriptor are closed, so that calls get the rest", async () => {
  const { dial, connectionRefused } = await startServer({ descriptor: 2 });
  expect(await isAccepted(dial())).toBe(false);
  expect(connectionRefused).toHaveBeenCalledWith("file descriptors");
});

test("a quarter of the descriptors, at most 256, is for calls", () => {
  const { descriptor } = defaultLimits(Number.POSITIVE_INFINITY);
  if (process.platform === "linux") expect(descriptor).toBeGreaterThan(64);
  else expect(descriptor).toBe(Number.POSITIVE_INFINITY);
});

test("a body in more than 1,000 tiny pieces gets 400; one of larger pieces does not", async () => {
  const { send, countRejection } = await startServer({});
  expect(await send(chunked(), piece(1).repeat(1_000), end)).toMatch(/ 200 .*\r\n\r\n1000$/s);
  expect(await send(chunked(), piece(64).repeat(5_000), end)).toMatch(/ 200 .*\r\n\r\n320000$/s);
  expect(countRejection).not.toHaveBeenCalled();
  // Without an end: the response does not wait for it.
  expect(await send(chunked(), piece(1).repeat(2_000))).toMatch(/ 400 .*"REQUEST_INVALID"/s);
  expect(countRejection.mock.calls).toEqual([["REQUEST_INVALID"]]);
});

test("the connection of a rejected body is closed within 1 s, although the client sends on", async () => {
  const { dial } = await startServer({});
  const socket = dial();
  socket.write(chunked());
  const timer = setInterval(() => socket.write(piece(1).repeat(2_000)), 5);
  const startedAt = performance.now();
  await once(socket.resume(), "close");
  clearInterval(timer);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test.each(["bodies", "bodiesPerClient"] as const)(
  "the limit %s rejects large bodies, until others are handled",
  async (limit) => {
    const { dial, send, countRejection } = await startServer({ [limit]: 100_000 });
    const large = [chunked(), piece(50_000), end];
    const waiting = dial();
    waiting.write([chunked("/wait"), piece(60_000), end].join(""));
    await expect.poll(() => send(...large)).toMatch(/ 503 .*"AT_CAPACITY"/s);
    expect(countRejection).toHaveBeenCalledWith("AT_CAPACITY");
    expect(await send(chunked(), piece(16_000), end)).toMatch(/ 200 /);
    waiting.destroy();
    await expect.poll(() => send(...large)).toMatch(/ 200 /);
  },
);

test("bodies that were answered or broke off no longer count", async () => {
  const { dial, send } = await startServer({ bodiesPerClient: 100_000 });
  for (let attempt = 0; attempt < 5; attempt++) {
    const socket = dial();
    socket.write([chunked("/wait"), piece(60_000)].join(""));
    await once(socket, "connect");
    await expect.poll(() => send(chunked(), piece(50_000), end)).toMatch(/ 503 /);
    socket.destroy();
    await expect.poll(() => send(chunked(), piece(90_000), end)).toMatch(/ 200 /);
  }
});

test("refused connections and rejected bodies are in the metrics of a runner", async () => {
  await using host = await startRunner();
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(chunked("/start") + piece(1).repeat(2_000));
  expect(await text(socket)).toContain('"REQUEST_INVALID"');
  const metrics = await (await host.fetch("/metrics")).text();
  expect(metrics).toContain("# TYPE pipecat_connections_refused_total counter");
  expect(metrics).toContain('pipecat_rejections_total{code="REQUEST_INVALID"} 1');
});
