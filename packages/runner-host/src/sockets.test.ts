import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type CallerSocket, RunnerError, type SocketHandlers, type SocketRoute } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { pingMs } from "./sockets.ts";
import { type FakeArguments, fakePlugin, neverConnected } from "./test/fake-plugin.ts";
import { connect, openSocket, type RunnerFixture, startRunner } from "./test/fixture.ts";

/** A runner with one socket route at `/echo`. */
function withSocket(route: Partial<SocketRoute>): Promise<RunnerFixture> {
  const socket: SocketRoute = { path: "/echo", access: "caller", maxPayload: 1_000, accept: echo, ...route };
  return startRunner({ plugins: [fakePlugin({ opened: { sockets: [socket] } })] });
}

function echo(socket: CallerSocket): SocketHandlers {
  return { message: (data) => socket.send(String(data)) };
}

function open(host: RunnerFixture, path: string): WebSocket {
  return new WebSocket(new URL(path, host.runner.url));
}

/** Status and JSON of a rejected upgrade. */
async function rejection(socket: WebSocket): Promise<[number | undefined, unknown]> {
  const [, response] = await once(socket, "unexpected-response");
  return [response.statusCode, JSON.parse(await text(response))];
}

/** Sends header lines that a WebSocket client would not send, and returns the response as text. */
async function sendLines(host: RunnerFixture, lines: string[]): Promise<string> {
  const socket = connectTcp(Number(host.runner.url.port), "127.0.0.1");
  socket.write([...lines, "", ""].join("\r\n"));
  return await text(socket);
}

/** The close code and reason of a socket. */
async function closing(socket: WebSocket): Promise<[number, string]> {
  const [code, reason] = await once(socket, "close");
  return [code, String(reason)];
}

const handshake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Host: localhost"];

test("accept gets the URL and the request, and the handlers get a message from the packet of the handshake", async () => {
  const accepted: unknown[] = [];
  await using host = await withSocket({
    accept(socket, { url, request, isAnnounced }) {
      accepted.push([url.searchParams.get("a"), request.headers["user-agent"], isAnnounced]);
      return echo(socket);
    },
  });
  const connection = connectTcp(Number(host.runner.url.port), "127.0.0.1");
  const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const head = ["GET /echo?a=b HTTP/1.1", ...handshake, key, "User-Agent: me", "", ""].join("\r\n");
  connection.write(Buffer.concat([Buffer.from(head), frame]));
  let received = "";
  connection.on("data", (data) => {
    received += data.toString("latin1");
  });
  await expect.poll(() => received).toContain("\x81\x02hi");
  expect(accepted).toEqual([["b", "me", false]]);
  connection.destroy();
});

test.each(["/nowhere", "/echo/a/b", "/start", "/"])("a path without a socket route gets 404 JSON: %s", async (path) => {
  await using host = await withSocket({});
  const response = await rejection(open(host, path));
  expect(response).toEqual([404, expect.objectContaining({ code: "NOT_FOUND", detail: expect.any(String) })]);
});

test.each([
  ["the key is missing", ["GET /echo HTTP/1.1", ...handshake], 400],
  ["the method is POST", ["POST /echo HTTP/1.1", ...handshake], 400],
  ["the credential cannot be decoded", ["GET /echo/%E0%A4%A HTTP/1.1", ...handshake], 404],
  ["the path starts with //", ["GET //echo HTTP/1.1", ...handshake], 404],
  ["the target is not a path", ["GET http://[ HTTP/1.1", ...handshake], 404],
])("a handshake gets a JSON error when %s", async (_what, lines, status) => {
  await using host = await withSocket({});
  const reply = await sendLines(host, lines);
  expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(JSON.parse(reply.slice(reply.indexOf("\r\n\r\n")))).toHaveProperty("code");
});

test("upgrades to other protocols are ignored, and the request is answered", async () => {
  await using host = await withSocket({});
  const reply = await sendLines(host, [
    "GET /livez HTTP/1.1",
    "Host: localhost",
    "Connection: Upgrade, HTTP2-Settings, close",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABk",
  ]);
  expect(reply).toMatch(/^HTTP\/1\.1 200 /);
});

test("a refusal of verify is sent as an HTTP response, and accept is not called", async () => {
  const accept = vi.fn();
  await using host = await withSocket({
    accept,
    verify: async ({ url }) => ({ status: 403, code: "TOKEN_INVALID", detail: `${url.search} is too old.` }),
  });
  expect(await rejection(open(host, "/echo?a"))).toEqual([403, { code: "TOKEN_INVALID", detail: "?a is too old." }]);
  expect(accept).not.toHaveBeenCalled();
});

test("the connection of a rejected caller that stays is closed", async () => {
  await using host = await withSocket({});
  const connection = connectTcp({ port: Number(host.runner.url.port), host: "127.0.0.1", allowHalfOpen: true });
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

test("an exception in verify rejects the upgrade with 500 and is logged", async () => {
  await using host = await withSocket({ verify: () => Promise.reject(new Error("secret")) });
  const [status, body] = await rejection(open(host, "/echo"));
  expect([status, JSON.stringify(body)]).toEqual([500, expect.not.stringContaining("secret")]);
  expect(host.log.messages("error")).toEqual(["WebSocket upgrade failed"]);
});

test("a caller who leaves during verify leaves no session, and is not logged as an error", async () => {
  const { promise: verified, resolve: finishVerify } = Promise.withResolvers<boolean>();
  const verify = vi.fn(() => verified);
  const accept: SocketRoute["accept"] = (_socket, { session }) => ({ message: () => void session.id });
  await using host = await withSocket({ verify, accept });
  const socket = open(host, "/echo");
  socket.on("error", () => undefined);
  await expect.poll(() => verify.mock.calls.length).toBe(1);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.terminate();
  await closed;
  finishVerify(true);
  expect((await host.fetch("/livez")).status).toBe(200);
  await expect.poll(() => [...host.runner.sessions]).toEqual([]);
  expect(host.log.messages("error")).toEqual([]);
});

test.each([
  [new RunnerError("AT_CAPACITY", "Full."), 1013, "AT_CAPACITY"],
  [new RunnerError("DRAINING", "Soon."), 1013, "DRAINING"],
  [new RunnerError("SESSION_UNKNOWN", "Gone."), 1008, "SESSION_UNKNOWN"],
  [new Error("secret"), 1011, "INTERNAL"],
])("an exception in accept closes the socket with its code: %s", async (error, code, reason) => {
  await using host = await withSocket({
    accept() {
      throw error;
    },
  });
  const socket = open(host, "/echo");
  expect(await closing(socket)).toEqual([code, reason]);
  expect(host.log.messages().filter((event) => event === "WebSocket rejected")).toHaveLength(1);
});

test("a message above the route's limit closes its socket with 1009, and no other socket", async () => {
  await using host = await withSocket({});
  const [good, bad] = [open(host, "/echo"), open(host, "/echo")];
  await Promise.all([once(good, "open"), once(bad, "open")]);
  bad.send("x".repeat(1_001));
  expect((await once(bad, "close"))[0]).toBe(1009);
  good.send("x".repeat(1_000));
  expect(String((await once(good, "message"))[0])).toHaveLength(1_000);
});

test("close() closes the connections of a caller that does not answer the close frame, and of one in verify", async () => {
  const host = await withSocket({
    verify: ({ url }) => (url.search === "?verify" ? new Promise(() => undefined) : true),
  });
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const connections = ["silent", "verify"].map((id) => {
    const connection = connectTcp(Number(host.runner.url.port), "127.0.0.1");
    connection.write([`GET /echo?${id} HTTP/1.1`, ...handshake, key, "", ""].join("\r\n"));
    return connection.on("error", () => undefined);
  });
  const [silent] = connections;
  if (silent) await once(silent, "data");
  const closed = connections.map((connection) => new Promise((resolve) => connection.resume().on("close", resolve)));
  await host.runner.close();
  await Promise.all(closed);
});

test("a caller that sends more than 50 pings at once is closed with 1008, and no other caller", async () => {
  await using host = await withSocket({});
  const [good, bad] = [open(host, "/echo"), open(host, "/echo")];
  await Promise.all([once(good, "open"), once(bad, "open")]);
  for (let count = 0; count < 50; count++) good.ping();
  for (let count = 0; count < 150; count++) bad.ping();
  bad.send("hello");
  const answers = vi.fn();
  bad.on("message", answers);
  expect(await closing(bad)).toEqual([1008, "RATE_EXCEEDED"]);
  expect(answers).not.toHaveBeenCalled();
  good.send("hello");
  expect(String((await once(good, "message"))[0])).toBe("hello");
  expect(host.log.messages("warn")).toEqual(["WebSocket rejected"]);
});

test("a caller that sends more than 20,000 messages at once is closed with 1008", async () => {
  const message = vi.fn();
  await using host = await withSocket({ accept: () => ({ message }) });
  const socket = open(host, "/echo");
  await once(socket, "open");
  for (let count = 0; count < 30_000; count++) socket.send("x");
  expect(await closing(socket)).toEqual([1008, "RATE_EXCEEDED"]);
  expect(message.mock.calls.length).toBeGreaterThanOrEqual(20_000);
  expect(message.mock.calls.length).toBeLessThan(30_000);
});

test("a caller that floods its socket has left with rate-exceeded, and its bot is aborted at once", async () => {
  const reasons: string[] = [];
  await using host = await startRunner({
    plugins: [fakePlugin()],
    bot: ({ session, signal }) => {
      session.onEnd((reason) => void reasons.push(reason));
      return once(signal, "abort");
    },
  });
  const socket = open(host, `/fake/${(await host.post("/start")).body.id}`);
  await once(socket, "open");
  for (let count = 0; count < 60; count++) socket.ping();
  expect(await closing(socket)).toEqual([1008, "RATE_EXCEEDED"]);
  await expect.poll(() => reasons, { timeout: 3_000 }).toEqual(["rate-exceeded"]);
});

test("sockets whose network is gone are terminated, and sockets that answer pings are not", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const closed: string[] = [];
    await using host = await withSocket({
      accept(socket, { url }) {
        if (url.search === "?paused") socket.raw.pause();
        return { message: () => undefined, closed: () => void closed.push(url.search.slice(1)) };
      },
    });
    const [alive, dead, paused] = [open(host, "/echo?alive"), open(host, "/echo?dead"), open(host, "/echo?paused")];
    await Promise.all([alive, dead, paused].map((socket) => once(socket, "open")));
    // More than the server's buffer: it stops reading this socket.
    for (let count = 0; count < 300; count++) paused.send("x".repeat(900));
    // Its network is gone: nothing is read, so no ping is answered.
    (dead as unknown as { _socket: Socket })._socket.pause();
    expect(vi.getTimerCount(), "one timer for all sockets").toBe(1);
    for (let period = 0; period < 3; period++) {
      const answered = once(alive, "ping");
      vi.advanceTimersByTime(pingMs);
      await answered;
      // The pong arrives before the response.
      await host.fetch("/livez");
    }
    await expect.poll(() => closed).toEqual(["dead"]);
    expect(paused.readyState, "a paused socket is not terminated").toBe(WebSocket.OPEN);
    for (const socket of [alive, dead, paused]) socket.terminate();
    await expect.poll(() => closed).toEqual(["dead", "alive"]);
    // A paused socket does not read its end, but the next ping fails.
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

test("a client that closes the WebSocket and keeps its connection open counts as gone", async () => {
  const closed = vi.fn();
  await using host = await withSocket({ accept: () => ({ message: () => undefined, closed }) });
  const connection = connectTcp(Number(host.runner.url.port), "127.0.0.1");
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const closeFrame = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
  connection.write(
    Buffer.concat([Buffer.from(["GET /echo HTTP/1.1", ...handshake, key, "", ""].join("\r\n")), closeFrame]),
  );
  await expect.poll(() => closed.mock.calls, { timeout: 5_000 }).toEqual([[1000, undefined]]);
  connection.destroy();
});

/** Starts the bot of the caller's session. Its handlers do what the caller sends: `throw`, or echo. */
const failing: SocketRoute["accept"] = (socket, { session, url }) => {
  if (url.search === "?accept") throw new Error("accept failed");
  session.run<FakeArguments>({ socket: socket.raw }, neverConnected);
  if (url.search === "?late") throw new Error("accept failed late");
  return {
    message(data) {
      if (String(data) === "throw") throw new Error("message failed");
      socket.send(String(data));
    },
    closed() {
      if (url.search === "?closed") throw new Error("closed failed");
    },
  };
};

test.each([
  ["message", "", 1011, "transport failed"],
  ["accept, after it started the bot", "?late", 1011, "transport failed"],
  ["accept, before it started the bot", "?accept", 1011, "WebSocket rejected"],
  ["closed", "?closed", 1005, "transport failed"],
])("an exception in %s ends only its session", async (_where, search, code, event) => {
  await using host = await withSocket({ accept: failing });
  const [good, bad] = [open(host, "/echo"), open(host, `/echo${search}`)];
  const closed = closing(bad);
  await once(good, "open");
  if (bad.readyState === WebSocket.CONNECTING) await once(bad, "open");
  if (search === "") bad.send("throw");
  if (search === "?closed") bad.close();
  expect((await closed)[0]).toBe(code);
  await expect.poll(() => host.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  expect(host.log.lines.filter(({ level }) => level === "error")).toMatchObject([
    { message: event, fields: { err: { message: expect.stringMatching(/failed/) }, transport: "fake" } },
  ]);
  const reasons = host.log.lines
    .filter(({ message }) => message === "session ended")
    .map(({ fields }) => fields.reason);
  expect(reasons).toEqual(["transport-failed"]);
  good.send("still here");
  expect(String((await once(good, "message"))[0])).toBe("still here");
});

test.each(["message", "closed"])("the rejection of an async %s handler ends only its session", async (name) => {
  const accept: SocketRoute["accept"] = (socket, { session }) => {
    session.run<FakeArguments>({ socket: socket.raw }, neverConnected);
    const handler = async () => {
      throw new Error("handler failed");
    };
    return { message: () => undefined, [name]: handler };
  };
  await using host = await withSocket({ accept });
  const socket = open(host, "/echo");
  await once(socket, "open");
  socket.send("x");
  if (name === "closed") socket.close();
  await expect.poll(() => host.log.messages("error")).toEqual(["transport failed"]);
  await expect.poll(() => host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("the host notices that a caller leaves whose session was started after accept", async () => {
  const started = vi.fn();
  const accept: SocketRoute["accept"] = (socket, { session }) => {
    setTimeout(() => {
      session.run<FakeArguments>({ socket: socket.raw }, () => ({
        sampleRates: [16_000],
        frameMs: 20,
        send: () => undefined,
        close: () => undefined,
      }));
      started();
    });
    return { message: () => undefined };
  };
  await using host = await startRunner({
    bot: async (args) => await (await connect(args)).closed,
    plugins: [fakePlugin({ opened: { sockets: [{ path: "/echo", access: "caller", accept }] } })],
  });
  const socket = open(host, "/echo");
  await once(socket, "open");
  await expect.poll(() => started.mock.calls.length).toBe(1);
  const [session] = host.runner.sessions;
  socket.close();
  expect(await session?.ended).toBe("caller-left");
});

test("the socket of an unannounced caller closes with its session, also before the bot runs", async () => {
  const accept: SocketRoute["accept"] = (_socket, { session }) => ({ message: () => void session.end("abandoned") });
  await using host = await withSocket({ accept });
  const socket = open(host, "/echo");
  await once(socket, "open");
  const closed = closing(socket);
  socket.send("end");
  expect(await closed).toEqual([1000, "abandoned"]);
});

test("close with a deadline that has passed does not wait for the caller", async () => {
  const { promise: accepted, resolve: accept } = Promise.withResolvers<CallerSocket>();
  await using host = await withSocket({
    accept(socket) {
      accept(socket);
      return echo(socket);
    },
  });
  const socket = open(host, "/echo");
  socket.on("open", () => socket.pause());
  socket.on("error", () => undefined); // It may be reset.
  const callerSocket = await accepted;
  const closed = callerSocket.close("shutdown", AbortSignal.abort());
  const waited = new Promise((resolve) => setTimeout(() => resolve("waited"), 500));
  expect(await Promise.race([closed, waited])).toBeUndefined();
  socket.terminate();
});

test("an exception for a session that has not started rejects the socket, and the session stays pending", async () => {
  await using host = await withSocket({
    accept: (_socket, { session }) => ({
      message() {
        throw new RunnerError("BODY_INVALID", `${session.id} got an invalid message.`);
      },
    }),
  });
  const id = String((await host.post("/start")).body.id);
  const socket = open(host, `/echo/${id}`);
  await once(socket, "open");
  socket.send("{");
  socket.send("{");
  expect(await closing(socket)).toEqual([1008, "BODY_INVALID"]);
  expect(host.log.messages("warn")).toEqual(["WebSocket rejected"]);
  expect(host.runner.sessions.find(id)?.state).toBe("pending");
});

test("several plugins may have one socket path: the owner of the session serves it, and the first one serves callers without a session", async () => {
  const served: string[] = [];
  const plugin = (name: string, verify?: SocketRoute["verify"]) =>
    fakePlugin({
      name,
      opened: {
        sockets: [
          {
            path: "/ws",
            access: "caller",
            ...(verify && { verify }),
            accept(socket) {
              served.push(name);
              return echo(socket);
            },
          },
        ],
      },
    });
  const refusal = { status: 403, code: "SIGNATURE_INVALID", detail: "The signature is not valid." };
  const rejectsOther: SocketRoute["verify"] = ({ url }) => url.search !== "?other" || refusal;
  const rejectsMarked: SocketRoute["verify"] = ({ url }) => url.search !== "?rejected" || refusal;
  await using host = await startRunner({
    plugins: [plugin("first", rejectsOther), plugin("second", rejectsMarked)],
  });
  const start = async (transport: string) => String((await host.post("/start", { transport })).body.id);
  const [one, two, three] = [await start("first"), await start("second"), await start("second")];
  expect(await openSocket(host, `/ws/${two}?other`), "only the owner verifies").toBe("open");
  expect(await openSocket(host, `/ws/${one}?other`)).toBe("403 SIGNATURE_INVALID");
  expect(await openSocket(host, `/ws/${one}`)).toBe("open");
  expect(await openSocket(host, "/ws")).toBe("open");
  expect(await openSocket(host, `/ws/${three}?rejected`)).toBe("403 SIGNATURE_INVALID");
  await expect.poll(() => served).toEqual(["second", "first", "first"]);
});

test("on a path of several transports, a session's socket is as protected as the strictest of them", async () => {
  const plugin = (name: string, access: SocketRoute["access"]) =>
    fakePlugin({ name, opened: { sockets: [{ path: "/ws", access, accept: echo }] } });
  const plugins = [plugin("loose", "open"), plugin("strict", "caller")];
  await using host = await startRunner({ webSocketAuth: "token", plugins });
  const { id, credential } = (await host.post("/start", { transport: "strict" })).body;
  expect(await openSocket(host, `/ws/${id}`)).toBe("401 TOKEN_REQUIRED");
  expect(await openSocket(host, `/ws/${credential}`)).toBe("open");
  expect(await openSocket(host, "/ws")).toBe("open");
});

test("a session of another transport cannot be opened on a socket path", async () => {
  const sockets: SocketRoute[] = [{ path: "/other", access: "caller", accept: echo }];
  await using host = await startRunner({ plugins: [fakePlugin(), fakePlugin({ name: "other", opened: { sockets } })] });
  const { id } = (await host.post("/start", { transport: "fake" })).body;
  expect(await openSocket(host, `/other/${id}`)).toBe("404 SESSION_UNKNOWN");
});
