import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { SocketRoute } from "@pipecat-ts/runner-core";
import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { pingMs } from "./socket-liveness.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

function withSocket(route: Partial<SocketRoute>): Promise<RunnerFixture> {
  const socket: SocketRoute = { path: "/echo/:id", access: "caller", maxPayload: 1_000, accept: echo, ...route };
  return startRunner({ plugins: [fakePlugin({ opened: { sockets: [socket] } })] });
}

const echo: SocketRoute["accept"] = (socket) => void socket.on("message", (data) => socket.send(String(data)));

function open(host: RunnerFixture, path: string): WebSocket {
  return new WebSocket(new URL(path, host.runner.url));
}

/** How the server refused: its status and JSON. */
async function refusal(socket: WebSocket): Promise<[number | undefined, unknown]> {
  const [, response] = await once(socket, "unexpected-response");
  return [response.statusCode, JSON.parse(await text(response))];
}

async function raw(host: RunnerFixture, lines: string[]): Promise<string> {
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write([...lines, "", ""].join("\r\n"));
  return await text(socket);
}

const handshake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Host: localhost"];

test("a path that matches is accepted with its parameters, its URL, and what came with the handshake", async () => {
  const accepted: unknown[] = [];
  await using host = await withSocket({
    accept(socket, { params, url, request }) {
      accepted.push([params.id, url.searchParams.get("token"), request.headers["user-agent"]]);
      echo(socket, {} as never);
    },
  });
  // The first frame in the same packet as the handshake: a listener attached late would miss it.
  const connection = connect(Number(host.runner.url.port), "127.0.0.1");
  const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const head = ["GET /echo/a%20b?token=t HTTP/1.1", ...handshake, key, "User-Agent: me", "", ""].join("\r\n");
  connection.write(Buffer.concat([Buffer.from(head), frame]));
  let received = "";
  connection.on("data", (data) => {
    received += data.toString("latin1");
  });
  await expect.poll(() => received).toContain("\x81\x02hi");
  expect(accepted).toEqual([["a b", "t", "me"]]);
  connection.destroy();
});

test.each(["/nowhere", "/echo", "/echo/a/b", "/start"])("a path that no route has is 404 JSON: %s", async (path) => {
  await using host = await withSocket({});
  const answer = await refusal(open(host, path));
  expect(answer).toEqual([404, expect.objectContaining({ code: "NOT_FOUND", detail: expect.any(String) })]);
});

test.each([
  ["the key is missing", ["GET /echo/a HTTP/1.1", ...handshake], 400],
  ["the method is POST", ["POST /echo/a HTTP/1.1", ...handshake], 400],
  ["the path is not decodable", ["GET /echo/%E0%A4%A HTTP/1.1", ...handshake], 400],
  ["the path looks like a host", ["GET //echo/a HTTP/1.1", ...handshake], 404],
  ["the target is no path", ["GET http://[ HTTP/1.1", ...handshake], 404],
])("a handshake is answered as JSON when %s", async (_what, lines, status) => {
  await using host = await withSocket({});
  const reply = await raw(host, lines);
  expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(JSON.parse(reply.slice(reply.indexOf("\r\n\r\n")))).toHaveProperty("code");
});

test("other upgrades are ignored: the request is answered as what it is", async () => {
  await using host = await withSocket({});
  const reply = await raw(host, [
    "GET /livez HTTP/1.1",
    "Host: localhost",
    "Connection: Upgrade, HTTP2-Settings, close",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABk",
  ]);
  expect(reply).toMatch(/^HTTP\/1\.1 200 /);
});

test("a socket that is refused gets an HTTP answer and no socket", async () => {
  const accept = vi.fn();
  await using host = await withSocket({
    accept,
    authorize: async ({ params }) => ({ status: 403, code: "TOKEN_INVALID", detail: `${params.id} is too old.` }),
  });
  expect(await refusal(open(host, "/echo/t"))).toEqual([403, { code: "TOKEN_INVALID", detail: "t is too old." }]);
  expect(accept).not.toHaveBeenCalled();
});

test("a refused caller that does not hang up is hung up on", async () => {
  await using host = await withSocket({});
  const connection = connect({ port: Number(host.runner.url.port), host: "127.0.0.1", allowHalfOpen: true });
  connection.on("error", () => undefined);
  connection.write(["GET /nowhere HTTP/1.1", ...handshake, "", ""].join("\r\n"));
  expect(await text(connection)).toContain("NOT_FOUND");
  await expect
    .poll(() => {
      connection.write("still here");
      return connection.destroyed;
    })
    .toBe(true);
});

test("a socket whose check fails is not let in, and the failure is logged", async () => {
  await using host = await withSocket({ authorize: () => Promise.reject(new Error("secret")) });
  const [status, body] = await refusal(open(host, "/echo/t"));
  expect([status, JSON.stringify(body)]).toEqual([500, expect.not.stringContaining("secret")]);
  expect(host.log.messages("error")).toEqual(["a WebSocket upgrade failed"]);
});

test("a caller who goes away while being checked is no error", async () => {
  let decide: () => void = () => undefined;
  const accept = vi.fn();
  await using host = await withSocket({
    accept,
    authorize: () =>
      new Promise<undefined>((resolve) => {
        decide = () => resolve(undefined);
      }),
  });
  const socket = open(host, "/echo/t");
  socket.on("error", () => undefined);
  await expect.poll(() => decide.name).toBe("decide");
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.terminate();
  await closed;
  decide();
  expect((await host.fetch("/livez")).status).toBe(200);
  expect(accept).not.toHaveBeenCalled();
  expect(host.log.messages("error")).toEqual([]);
});

test.each([
  [new RunnerError("AT_CAPACITY", "Full."), 1013, "AT_CAPACITY"],
  [new RunnerError("DRAINING", "Soon."), 1013, "DRAINING"],
  [new RunnerError("SESSION_UNKNOWN", "Gone."), 1008, "SESSION_UNKNOWN"],
  [new Error("secret"), 1011, "INTERNAL"],
])("a transport that fails to accept closes the socket: %s", async (error, code, reason) => {
  await using host = await withSocket({
    accept() {
      throw error;
    },
  });
  const socket = open(host, "/echo/t");
  const [closeCode, closeReason] = await once(socket, "close");
  expect([closeCode, String(closeReason)]).toEqual([code, reason]);
});

test("a message over the route's limit closes its socket with 1009, and no other", async () => {
  await using host = await withSocket({});
  const [good, bad] = [open(host, "/echo/good"), open(host, "/echo/bad")];
  await Promise.all([once(good, "open"), once(bad, "open")]);
  bad.send("x".repeat(1_001));
  expect((await once(bad, "close"))[0]).toBe(1009);
  good.send("x".repeat(1_000));
  expect(String((await once(good, "message"))[0])).toHaveLength(1_000);
});

test("a caller that does not answer the goodbye, and one that is still being checked, are cut off at the end", async () => {
  const host = await withSocket({
    authorize: ({ params }) => (params.id === "checked" ? new Promise(() => undefined) : undefined),
  });
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const connections = ["mute", "checked"].map((id) => {
    const connection = connect(Number(host.runner.url.port), "127.0.0.1");
    connection.write([`GET /echo/${id} HTTP/1.1`, ...handshake, key, "", ""].join("\r\n"));
    return connection.on("error", () => undefined);
  });
  const [mute] = connections;
  if (mute) await once(mute, "data");
  const closed = connections.map((connection) => new Promise((resolve) => connection.resume().on("close", resolve)));
  await host.runner.close();
  await Promise.all(closed);
});

test("sockets that went away without a word are terminated, those that answer pings are not", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const closed: string[] = [];
    await using host = await withSocket({
      accept(socket, { params }) {
        socket.on("close", () => closed.push(`${params.id}`));
        if (params.id === "paused") socket.pause();
      },
    });
    const [alive, dead, paused] = [open(host, "/echo/alive"), open(host, "/echo/dead"), open(host, "/echo/paused")];
    await Promise.all([alive, dead, paused].map((socket) => once(socket, "open")));
    // More than the server's buffer: from here on it reads nothing more of this one.
    for (let count = 0; count < 300; count++) paused.send("x".repeat(900));
    // Its network is gone: nothing is read, so no ping is answered.
    (dead as unknown as { _socket: Socket })._socket.pause();
    expect(vi.getTimerCount(), "one timer for all").toBe(1);
    for (let period = 0; period < 3; period++) {
      const answered = once(alive, "ping");
      vi.advanceTimersByTime(pingMs);
      await answered;
      // The pong is on its way back.
      await host.fetch("/livez");
    }
    await expect.poll(() => closed).toEqual(["dead"]);
    expect(paused.readyState, "who does not read is not dead").toBe(WebSocket.OPEN);
    for (const socket of [alive, dead, paused]) socket.terminate();
    await expect.poll(() => closed).toEqual(["dead", "alive"]);
    // Whoever does not read does not see the end, but cannot write either.
    await expect
      .poll(() => {
        vi.advanceTimersByTime(pingMs);
        return vi.getTimerCount();
      })
      .toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("a client that says goodbye and keeps its connection open is gone all the same", async () => {
  const closed = vi.fn();
  await using host = await withSocket({ accept: (socket) => void socket.once("close", closed) });
  const connection = connect(Number(host.runner.url.port), "127.0.0.1");
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const goodbye = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
  connection.write(
    Buffer.concat([Buffer.from(["GET /echo/a HTTP/1.1", ...handshake, key, "", ""].join("\r\n")), goodbye]),
  );
  await expect.poll(() => closed.mock.calls, { timeout: 5_000 }).toEqual([[1000, Buffer.alloc(0)]]);
  connection.destroy();
});
