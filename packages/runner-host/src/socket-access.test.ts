import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { RunnerError, type SocketRoute } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { pendingMs } from "./session.ts";
import { openSocket } from "./test/open-socket.ts";
import { toyPlugin } from "./test/toy-plugin.ts";
import { startToyRunner, type ToyRunner } from "./test/toy-runner.ts";

const key = "the-key-of-this-runner";

async function start(host: ToyRunner, headers: Record<string, string> = {}): Promise<{ id: string; segment: string }> {
  const response = await host.fetch("/start", { method: "POST", headers });
  return (await response.json()) as { id: string; segment: string };
}

/** A transport whose bare socket is a session of its own, with what authorize was told. */
function walkIn(
  access: "caller" | "carrier" | "open",
  seen: (string | undefined)[] = [],
  more: Partial<SocketRoute> = {},
) {
  return toyPlugin({
    name: "walk-in",
    opened: {
      sockets: [
        {
          path: "/bare{/:sessionId}",
          access,
          maxPayload: 100,
          authorize: ({ params }) => void seen.push(params.sessionId),
          accept: () => undefined,
          ...more,
        },
      ],
    },
  });
}

test("without tokens the segment is the session's id", async () => {
  await using host = await startToyRunner();
  const { id, segment } = await start(host);
  expect(segment).toBe(id);
  expect(await openSocket(host, `/toy/${id}`)).toBe("open");
});

test("a token opens its session's socket once, by path, bearer or query", async () => {
  await using host = await startToyRunner({ webSocketAuth: "token" });
  const ways: ((of: { id: string; segment: string }) => [string, Record<string, string>?])[] = [
    ({ segment }) => [`/toy/${segment}`],
    ({ segment }) => ["/toy", { authorization: `Bearer ${segment}` }],
    ({ id, segment }) => [`/toy/${id}`, { authorization: `bearer  ${segment}` }],
    ({ segment }) => [`/toy?token=${segment}`],
    ({ id, segment }) => [`/toy/${id}?token=${segment}`],
  ];
  for (const way of ways) {
    const started = await start(host);
    const [path, headers] = way(started);
    expect(await openSocket(host, path, headers)).toBe("open");
    expect(host.runner.sessions.find(started.id)?.state).toBe("active");
    expect(await openSocket(host, path, headers)).toBe("403 TOKEN_INVALID");
  }
});

test("a socket without a token is refused, bare or with a session's id, for callers and carriers", async () => {
  await using host = await startToyRunner({
    webSocketAuth: "token",
    plugins: [toyPlugin(), walkIn("carrier")],
  });
  const { id } = await start(host);
  for (const path of ["/toy", `/toy/${id}`, "/bare", `/bare/${id}`, "/toy?other=1"]) {
    expect(await openSocket(host, path)).toBe("401 TOKEN_REQUIRED");
  }
  expect(host.runner.sessions.counts).toEqual({ pending: 1, active: 0 });
});

test("a carrier's bare socket that proves itself needs no token; one that names a session does", async () => {
  const isProven: SocketRoute["isProven"] = ({ request }) => request.headers["x-signed"] === "yes";
  await using host = await startToyRunner({
    webSocketAuth: "token",
    plugins: [toyPlugin(), walkIn("carrier", [], { isProven })],
  });
  const { id } = await start(host);
  expect(await openSocket(host, "/bare", { "x-signed": "yes" })).toBe("open");
  expect(await openSocket(host, "/bare", { "x-signed": "no" })).toBe("401 TOKEN_REQUIRED");
  expect(await openSocket(host, `/bare/${id}`, { "x-signed": "yes" })).toBe("401 TOKEN_REQUIRED");
  expect(await openSocket(host, "/bare?token=x", { "x-signed": "yes" })).toBe("403 TOKEN_INVALID");
});

test("a token that has expired opens nothing, whatever its session does", async () => {
  await using host = await startToyRunner({ webSocketAuth: "token" });
  const { id, segment } = await start(host);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + pendingMs + 1_000 });
  try {
    expect(await openSocket(host, `/toy/${segment}`)).toBe("403 TOKEN_INVALID");
  } finally {
    vi.useRealTimers();
  }
  expect(host.runner.sessions.find(id)?.state).toBe("pending");
  expect(await openSocket(host, `/toy/${segment}`)).toBe("open");
});

test("tokens that are tampered with, of another session, runner or an ended session open nothing", async () => {
  await using host = await startToyRunner({ webSocketAuth: "token" });
  await using other = await startToyRunner({ webSocketAuth: "token" });
  const { id, segment } = await start(host);
  const another = await start(host);
  const foreign = await start(other);
  expect(await openSocket(host, `/toy/${segment.replace(id, another.id)}`)).toBe("403 TOKEN_INVALID");
  expect(await openSocket(host, `/toy/${another.id}?token=${segment}`)).toBe("403 TOKEN_INVALID");
  expect(await openSocket(host, `/toy/${foreign.segment}`)).toBe("403 TOKEN_INVALID");
  await host.runner.sessions.find(another.id)?.end("ended-by-request");
  expect(await openSocket(host, `/toy/${another.segment}`)).toBe("404 SESSION_UNKNOWN");
  expect(await openSocket(host, `/toy/${segment}`)).toBe("open");
});

test("runners with one secret know each other's tokens, and each only its own sessions", async () => {
  const webSocketSecret = "a secret of two runners";
  await using host = await startToyRunner({ webSocketAuth: "token", webSocketSecret });
  await using other = await startToyRunner({ webSocketAuth: "token", webSocketSecret });
  const { segment } = await start(host);
  expect(await openSocket(other, `/toy/${segment}`)).toBe("404 SESSION_UNKNOWN");
  expect(await openSocket(host, `/toy/${segment}`)).toBe("open");
});

test("of ten sockets with one token one opens", async () => {
  await using host = await startToyRunner({ webSocketAuth: "token" });
  const { segment } = await start(host);
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => openSocket(host, `/toy/${segment}`)));
  expect(outcomes.toSorted()).toEqual([...Array(9).fill("403 TOKEN_INVALID"), "open"]);
});

test("a foreign page uses no token up, nor does a socket that its route refuses", async () => {
  let full = true;
  const plugin = toyPlugin();
  await using host = await startToyRunner({
    webSocketAuth: "token",
    allowedOrigins: ["https://app.example.com"],
    plugins: [
      {
        ...plugin,
        async open(runner, options) {
          const opened = await plugin.open(runner, options);
          const [socket] = opened.sockets ?? [];
          if (!socket) throw new Error("the toy has no socket");
          const authorize = () => (full ? { status: 429, code: "AT_CAPACITY", detail: "Full." } : undefined);
          return { ...opened, sockets: [{ ...socket, authorize }] };
        },
      },
    ],
  });
  const { segment } = await start(host);
  expect(await openSocket(host, `/toy/${segment}`, { origin: "https://evil.example" })).toBe("403 ORIGIN_REFUSED");
  expect(await openSocket(host, `/toy/${segment}`, { origin: "https://app.example.com" })).toBe("429 AT_CAPACITY");
  full = false;
  expect(await openSocket(host, `/toy/${segment}`, { origin: "https://app.example.com" })).toBe("open");
});

/** A transport whose socket waits for a first word before its session runs, and fails on one. */
function hesitant() {
  const plugin = toyPlugin();
  return toyPlugin({
    async open(runner, options) {
      const opened = await plugin.open(runner, options);
      const [route] = opened.sockets ?? [];
      if (!route) throw new Error("the toy has no socket");
      const accept: typeof route.accept = (socket, request) => {
        if (request.url.searchParams.has("fail")) throw new RunnerError("AT_CAPACITY", "Somebody was faster.");
        socket.once("message", () => route.accept(socket, request));
      };
      return { ...opened, sockets: [{ ...route, accept }] };
    },
  });
}

test("a token is given back with a socket that broke, or was not taken, while its session waits, and no later", async () => {
  await using host = await startToyRunner({ webSocketAuth: "token", plugins: [hesitant()] });
  const { id, segment } = await start(host);
  const url = new URL(`/toy/${segment}`, host.runner.url);
  const broken = new WebSocket(url);
  await once(broken, "open");
  expect(await openSocket(host, url.pathname)).toBe("403 TOKEN_INVALID");
  broken.terminate();
  await expect.poll(() => openSocket(host, `${url.pathname}?fail`)).toBe("open");
  const kept = new WebSocket(url);
  await once(kept, "open");
  kept.send("hello");
  await expect.poll(() => host.runner.sessions.find(id)?.state).toBe("active");
  const closed = once(kept, "close");
  kept.terminate();
  await closed;
  expect(await openSocket(host, url.pathname)).toMatch(/^403 TOKEN_INVALID$|^404 SESSION_UNKNOWN$/);
});

test("a handshake that fails uses no token up", async () => {
  await using host = await startToyRunner({ webSocketAuth: "token" });
  const { segment } = await start(host);
  const connection = connect(Number(host.runner.url.port), "127.0.0.1");
  const head = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  connection.write([`GET /toy/${segment} HTTP/1.1`, ...head, "Sec-WebSocket-Key: no", "", ""].join("\r\n"));
  expect(await text(connection)).toMatch(/^HTTP\/1\.1 400 /);
  await expect.poll(() => openSocket(host, `/toy/${segment}`)).toBe("open");
});

test("a full runner says so before the upgrade, whatever the route, and to those who wait alone", async () => {
  await using host = await startToyRunner({ maxSessions: 1, plugins: [hesitant()] });
  const [one, two] = [await start(host), await start(host)];
  const first = new WebSocket(new URL(`/toy/${one.id}`, host.runner.url));
  await once(first, "open");
  first.send("hello");
  await expect.poll(() => host.runner.sessions.counts.active).toBe(1);
  expect(await openSocket(host, `/toy/${two.id}`)).toBe("429 AT_CAPACITY");
  expect(await openSocket(host, `/toy/${one.id}`)).toBe("404 SESSION_UNKNOWN");
});

test("the API key opens what a token opens, and a bare socket", async () => {
  const seen: (string | undefined)[] = [];
  await using host = await startToyRunner({ webSocketAuth: "token", apiKey: key, plugins: [walkIn("caller", seen)] });
  expect(await openSocket(host, "/bare", { authorization: `Bearer ${key}x` })).toBe("403 TOKEN_INVALID");
  expect(await openSocket(host, `/bare?token=${key}`)).toBe("open");
  expect(seen).toEqual([undefined]);
});

test("with a key and no tokens a bare caller's socket needs the key; a session's id, or a carrier, does not", async () => {
  const apiKey = "key-without-spaces";
  const headers = { authorization: `Bearer ${apiKey}` };
  await using host = await startToyRunner({ apiKey, plugins: [toyPlugin(), walkIn("caller")] });
  expect(await openSocket(host, "/bare")).toBe("401 KEY_REQUIRED");
  expect(await openSocket(host, "/bare", { authorization: "Bearer key-without-spaceS" })).toBe("401 KEY_REQUIRED");
  expect(await openSocket(host, "/bare", headers)).toBe("open");
  const { id } = await start(host, headers);
  expect(await openSocket(host, `/toy/${id}`)).toBe("open");
  await using phones = await startToyRunner({ apiKey, plugins: [walkIn("carrier")] });
  expect(await openSocket(phones, "/bare")).toBe("open");
});

test("with a list of origins a caller's socket says one of them; carriers and those with a token need not", async () => {
  const allowedOrigins = ["https://app.example.com"];
  await using host = await startToyRunner({ allowedOrigins, plugins: [walkIn("caller")] });
  expect(await openSocket(host, "/bare")).toBe("403 ORIGIN_REFUSED");
  expect(await openSocket(host, "/bare", { origin: "https://evil.example" })).toBe("403 ORIGIN_REFUSED");
  expect(await openSocket(host, "/bare", { origin: "HTTPS://App.Example.com" })).toBe("open");
  await using phones = await startToyRunner({ allowedOrigins, plugins: [walkIn("carrier")] });
  expect(await openSocket(phones, "/bare")).toBe("open");
  expect(await openSocket(phones, "/bare", { origin: "https://evil.example" })).toBe("403 ORIGIN_REFUSED");
  await using tokens = await startToyRunner({ allowedOrigins, webSocketAuth: "token" });
  expect(await openSocket(tokens, `/toy/${(await start(tokens)).segment}`)).toBe("open");
});

test("an open socket asks nobody", async () => {
  await using host = await startToyRunner({
    apiKey: key,
    webSocketAuth: "token",
    allowedOrigins: ["https://app.example.com"],
    plugins: [walkIn("open")],
  });
  expect(await openSocket(host, "/bare")).toBe("open");
});
