import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { hostname } from "node:os";
import { text } from "node:stream/consumers";
import { type RunnerContext, RunnerError, type Session, type SocketRoute } from "@pipecat-ts/runner-core";
import { pendingMs } from "@pipecat-ts/runner-sessions";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createSocketTokens } from "./access.ts";
import { createSettings } from "./options.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { openSocket, type RunnerFixture, startRunner } from "./test/fixture.ts";

const apiKey = "sixteen-characters";

/** Sends a GET with headers that fetch does not allow. Returns the status, and the code of an error. */
async function get(host: RunnerFixture, path: string, headers: Record<string, string>): Promise<string> {
  const { hostname, port } = host.runner.url;
  return await new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers }, async (response) => {
      resolve(`${response.statusCode} ${JSON.parse(await text(response)).code ?? ""}`.trim());
    });
    sent.on("error", reject).end();
  });
}

const withRoutes = fakePlugin({
  opened: {
    routes: (["caller", "carrier", "open"] as const).map((access) => ({
      method: "POST",
      path: `/${access}`,
      access,
      handle: (ctx) => {
        ctx.body = "done";
      },
    })),
  },
});

test("with an API key, the routes of callers require it", async () => {
  await using host = await startRunner({ apiKey, plugins: [withRoutes] });
  const send = async (path: string, method: string, authorization?: string) =>
    (await host.fetch(path, { method, headers: authorization === undefined ? {} : { authorization } })).status;
  for (const [path, method] of [
    ["/start", "POST"],
    ["/caller", "POST"],
    ["/sessions/unknown", "GET"],
    ["/sessions/unknown/api/offer", "PATCH"],
  ] as const) {
    for (const wrong of [
      undefined,
      "Bearer",
      `Bearer ${apiKey}x`,
      `Bearer ${apiKey.slice(1)}`,
      `Basic ${apiKey}`,
      apiKey,
    ]) {
      expect([path, wrong, await send(path, method, wrong)]).toEqual([path, wrong, 401]);
    }
    expect(await send(path, method, `Bearer ${apiKey}`)).not.toBe(401);
  }
  expect(await Promise.all([send("/carrier", "POST"), send("/open", "POST"), send("/status", "GET")])).toEqual([
    200, 200, 200,
  ]);
  expect(host.runner.sessions.counts.pending).toBe(1);
  const rejected = await host.post("/start");
  expect([rejected.body.code, rejected.headers.get("www-authenticate")]).toEqual(["KEY_REQUIRED", "Bearer"]);
});

test("without allowedOrigins, CORS of an exposed server allows all origins, without credentials", async () => {
  await using host = await startRunner({ host: "0.0.0.0" });
  const { headers } = await host.fetch("/status", { headers: { origin: "https://any.example" } });
  expect([headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")]).toEqual([
    "*",
    null,
  ]);
});

test("with allowedOrigins, only pages of these origins and of this server may call", async () => {
  const allowedOrigins = ["https://App.example.com:8443/", "capacitor://localhost"];
  await using host = await startRunner({ allowedOrigins, publicUrl: "https://bots.example.com" });
  const { origin: own } = host.runner.url;
  const send = async (origin: string, method = "POST") => {
    const preflight = { "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
    const headers = { origin, ...(method === "OPTIONS" && preflight) };
    const response = await host.fetch("/start", { method, headers });
    return [response.status, response.headers.get("access-control-allow-origin"), response.headers.get("vary")];
  };
  for (const origin of ["https://app.example.com:8443", "capacitor://localhost", own, "https://bots.example.com"]) {
    expect(await send(origin)).toEqual([200, origin, "Origin"]);
    expect(await send(origin, "OPTIONS")).toEqual([204, origin, "Origin"]);
  }
  for (const origin of [
    "https://app.example.com",
    "https://evil.example",
    "null",
    "https://bots.example.com.evil.example",
  ]) {
    expect(await send(origin)).toEqual([403, null, "Origin"]);
    expect(await send(origin, "OPTIONS")).toEqual([403, null, "Origin"]);
  }
  expect((await host.post("/start")).status).toBe(200);
});

test("without allowedOrigins, a loopback server without a key rejects pages of other machines, over HTTP and WebSocket", async () => {
  await using host = await startRunner({ publicUrl: "https://bots.example.com" });
  const start = async (origin: string) => {
    const response = await host.fetch("/start", { method: "POST", headers: { origin } });
    return [response.status, response.headers.get("access-control-allow-origin")];
  };
  for (const origin of [
    "http://localhost:5173",
    "http://127.0.0.1:3000",
    "https://bots.example.com",
    "capacitor://localhost",
  ]) {
    expect(await start(origin)).toEqual([200, origin]);
  }
  const { id } = (await host.post("/start")).body;
  for (const origin of ["https://evil.example", "http://localhost.evil.example", "http://192.168.0.7", "null"]) {
    expect([origin, ...(await start(origin))]).toEqual([origin, 403, null]);
    expect(await openSocket(host, `/fake/${id}`, { origin })).toBe("403 ORIGIN_REFUSED");
  }
  const rejected = await host.fetch("/start", { method: "POST", headers: { origin: "https://a.example" } });
  expect(await rejected.text()).toContain("Add the origin to --allowed-origins; * allows all pages.");
  expect(await openSocket(host, `/fake/${id}`)).toBe("open");
  for (const options of [{ allowedOrigins: ["*"] }, { apiKey }, { host: "0.0.0.0" }]) {
    await using open = await startRunner(options);
    const headers = { origin: "https://any.example", authorization: `Bearer ${apiKey}` };
    expect((await open.fetch("/start", { method: "POST", headers })).status).toBe(200);
  }
});

test("without allowedOrigins, a loopback server without a key may be linked from pages of other sites, and not embedded", async () => {
  await using host = await startRunner();
  const get = async (headers: Record<string, string>) => (await host.fetch("/livez", { headers })).status;
  const site = { "sec-fetch-site": "cross-site" };
  expect(await get({ ...site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" })).toBe(200);
  expect(await get({ ...site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" })).toBe(403);
  expect(await get({ ...site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" })).toBe(403);
  expect(await get({ "sec-fetch-site": "same-site", "sec-fetch-dest": "image" })).toBe(200);
  await using listed = await startRunner({ apiKey });
  expect((await listed.fetch("/livez", { headers: { ...site, "sec-fetch-dest": "image" } })).status).toBe(200);
});

test("without allowedOrigins and a key, an exposed server lets all pages start calls, but not read about other calls", async () => {
  await using host = await startRunner({ host: "0.0.0.0", downloadsFolder: import.meta.dirname });
  const send = async (path: string, origin?: string) =>
    (await host.fetch(path, { headers: origin === undefined ? {} : { origin } })).status;
  for (const path of ["/sessions", "/metrics", "/files/access.test.ts"]) {
    expect([path, await send(path, "https://evil.example")]).toEqual([path, 403]);
    expect([path, await send(path, "null")]).toEqual([path, 403]);
    expect([path, await send(path, host.runner.url.origin), await send(path)]).toEqual([path, 200, 200]);
  }
  const { id } = (await host.post("/start")).body;
  expect(await send(`/sessions/${id}`, "https://app.example.com")).toBe(200);
  await using open = await startRunner({ allowedOrigins: ["*"] });
  expect((await open.fetch("/sessions", { headers: { origin: "https://any.example" } })).status).toBe(200);
  await using keyed = await startRunner({ apiKey });
  const headers = { origin: "https://any.example", authorization: `Bearer ${apiKey}` };
  expect((await keyed.fetch("/sessions", { headers })).status).toBe(200);
});

test("X-Forwarded-Host makes an origin this server's own only with trustProxy", async () => {
  const headers = { origin: "https://evil.example", "x-forwarded-host": "evil.example" };
  await using host = await startRunner({ allowedOrigins: ["https://app.example.com"] });
  expect(await get(host, "/status", headers)).toBe("403 ORIGIN_REFUSED");
  await using behind = await startRunner({ allowedOrigins: ["https://app.example.com"], trustProxy: true });
  expect(await get(behind, "/status", headers)).toBe("200");
});

test("a loopback server without a key rejects foreign host names, over HTTP and WebSocket", async () => {
  await using host = await startRunner({ publicUrl: "https://bots.example.com" });
  const { id } = (await host.post("/start")).body;
  for (const name of ["localhost", "LOCALHOST:1", "bot.localhost", "127.0.0.1:7860", "127.8.0.1", "[::1]:7860"]) {
    expect([name, await get(host, "/status", { host: name })]).toEqual([name, "200"]);
  }
  expect(await get(host, "/status", { host: "bots.example.com" })).toBe("200");
  for (const name of [
    "evil.example",
    "evil.example:7860",
    "localhost.evil.example",
    "192.168.0.7",
    "127.0.0.1.nip.io",
  ]) {
    const spoofed = { host: name, "x-forwarded-host": "localhost", origin: `http://${name}` };
    expect([name, await get(host, "/status", spoofed)]).toEqual([name, "403 HOST_REFUSED"]);
    expect(await openSocket(host, `/fake/${id}`, spoofed)).toBe("403 HOST_REFUSED");
  }
  const warnings = host.log.lines.filter(({ level }) => level === "warn");
  expect(warnings).toMatchObject([{ fields: { host: "evil.example" } }]);
  expect(await openSocket(host, `/fake/${id}`)).toBe("open");
});

test("a server without a key on all networks accepts IP addresses and its own names only", async () => {
  await using open = await startRunner({ host: "0.0.0.0", publicUrl: "https://bots.example.com" });
  const own = hostname().toUpperCase();
  for (const name of ["192.168.0.7:7860", "[fd00::7]", "localhost", own, `${own}.local`, "bots.example.com"]) {
    expect([name, await get(open, "/status", { host: name })]).toEqual([name, "200"]);
  }
  for (const name of ["evil.example", `${own}.evil.example`, "192.168.0.7.nip.io"]) {
    expect([name, await get(open, "/status", { host: name })]).toEqual([name, "403 HOST_REFUSED"]);
  }
});

test("a server with a key, or behind a trusted proxy, accepts any host name", async () => {
  for (const options of [{ apiKey }, { host: "0.0.0.0", trustProxy: true }]) {
    await using host = await startRunner(options);
    expect(await get(host, "/status", { host: "evil.example" })).toBe("200");
  }
});

test("several Host headers get 400, over HTTP and WebSocket", async () => {
  await using host = await startRunner({ apiKey });
  for (const upgrade of ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"]) {
    const socket = connect(Number(host.runner.url.port), "127.0.0.1");
    socket.end(`GET /fake HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n${upgrade}\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 .*several Host headers/s);
  }
});

test("an exposed server lists its unauthenticated routes", async () => {
  const unauthenticatedRoutes = async (options: Parameters<typeof startRunner>[0]) => {
    await using host = await startRunner({ plugins: [withRoutes], ...options });
    return host.runner.unauthenticatedRoutes;
  };
  expect(await unauthenticatedRoutes({})).toEqual([]);
  expect(await unauthenticatedRoutes({ host: "0.0.0.0" })).toEqual([
    "POST /start",
    "/sessions",
    "/metrics",
    "/openapi.json",
    "POST /caller",
    "WS /fake",
  ]);
  expect(await unauthenticatedRoutes({ publicUrl: "https://x.example" })).toEqual(
    await unauthenticatedRoutes({ host: "0.0.0.0" }),
  );
  expect(await unauthenticatedRoutes({ trustProxy: true })).toEqual(await unauthenticatedRoutes({ host: "0.0.0.0" }));
  expect(await unauthenticatedRoutes({ host: "0.0.0.0", webSocketAuth: "token" })).toEqual([
    "POST /start",
    "/sessions",
    "/metrics",
    "/openapi.json",
    "POST /caller",
  ]);
  expect(await unauthenticatedRoutes({ host: "0.0.0.0", downloadsFolder: import.meta.dirname })).toContain(
    "GET /files",
  );
  expect(await unauthenticatedRoutes({ host: "0.0.0.0", apiKey, downloadsFolder: import.meta.dirname })).toEqual([]);
});

test("unauthenticated routes include carriers' routes with acceptsUnverified, also with a key", async () => {
  const handle = () => undefined;
  const carrier = { method: ["POST", "GET"], access: "carrier", handle } as const;
  const routes = [
    { ...carrier, path: "/signed", acceptsUnverified: false },
    { ...carrier, path: "/unsigned", acceptsUnverified: true },
  ];
  const plugins = [fakePlugin({ opened: { routes, sockets: [] } })];
  await using open = await startRunner({ host: "0.0.0.0", plugins, apiKey });
  expect(open.runner.unauthenticatedRoutes).toEqual(["POST /unsigned"]);
  await using local = await startRunner({ plugins });
  expect(local.runner.unauthenticatedRoutes).toEqual([]);
});

test.each([
  [{ apiKey: "short" }, /^apiKey: the value is not valid/],
  [{ webSocketSecret: "short" }, /^webSocketSecret/],
  [{ webSocketAuth: "maybe" as never }, /^webSocketAuth .*"maybe"/],
  [{ allowedOrigins: ["app.example.com"] }, /"app.example.com" is not an origin/],
  [{ allowedOrigins: ["https://app.example.com/path"] }, /not an origin/],
])("access options are checked: %j", (given, message) => {
  expect(() => createSettings(given)).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(message) }),
  );
  if ("apiKey" in given) expect(() => createSettings(given)).not.toThrow(/short/);
});

const key = "the-key-of-this-runner";

async function start(
  host: RunnerFixture,
  headers: Record<string, string> = {},
): Promise<{ id: string; credential: string }> {
  const response = await host.fetch("/start", { method: "POST", headers });
  return (await response.json()) as { id: string; credential: string };
}

/** A transport with a socket at `/bare` that reads no session. */
function withBareSocket(access: "caller" | "carrier" | "open", more: Partial<SocketRoute> = {}) {
  return fakePlugin({
    name: "bare",
    opened: { sockets: [{ path: "/bare", access, accept: () => ({ message: () => undefined }), ...more }] },
  });
}

test("without tokens the credential is the session's id", async () => {
  await using host = await startRunner();
  const { id, credential } = await start(host);
  expect(credential).toBe(id);
  expect(await openSocket(host, `/fake/${id}`)).toBe("open");
});

test("a token opens its session's socket once, by path, bearer or query", async () => {
  await using host = await startRunner({ webSocketAuth: "token" });
  const requests: ((of: { id: string; credential: string }) => [string, Record<string, string>?])[] = [
    ({ credential }) => [`/fake/${credential}`],
    ({ credential }) => ["/fake", { authorization: `Bearer ${credential}` }],
    ({ id, credential }) => [`/fake/${id}`, { authorization: `bearer  ${credential}` }],
    ({ credential }) => [`/fake?token=${credential}`],
    ({ id, credential }) => [`/fake/${id}?token=${credential}`],
  ];
  for (const requestWith of requests) {
    const started = await start(host);
    const [path, headers] = requestWith(started);
    expect(await openSocket(host, path, headers)).toBe("open");
    expect(host.runner.sessions.find(started.id)?.state).toBe("active");
    expect(await openSocket(host, path, headers)).toBe("403 TOKEN_INVALID");
  }
});

test("with tokens, sockets without one are rejected, with and without a session's id, for callers and carriers", async () => {
  await using host = await startRunner({
    webSocketAuth: "token",
    plugins: [fakePlugin(), withBareSocket("carrier")],
  });
  const { id } = await start(host);
  for (const path of ["/fake", `/fake/${id}`, "/bare", `/bare/${id}`, "/fake?other=1"]) {
    expect(await openSocket(host, path)).toBe("401 TOKEN_REQUIRED");
  }
  expect(host.runner.sessions.counts).toEqual({ pending: 1, active: 0 });
});

test("a verified carrier needs no token for a socket without a session, and needs one for a session's", async () => {
  const verify: SocketRoute["verify"] = ({ request }) => request.headers["x-signed"] === "yes";
  await using host = await startRunner({
    webSocketAuth: "token",
    plugins: [fakePlugin(), withBareSocket("carrier", { verify })],
  });
  const { id } = await start(host);
  expect(await openSocket(host, "/bare", { "x-signed": "yes" })).toBe("open");
  expect(await openSocket(host, "/bare", { "x-signed": "no" })).toBe("401 TOKEN_REQUIRED");
  expect(await openSocket(host, `/bare/${id}`, { "x-signed": "yes" })).toBe("401 TOKEN_REQUIRED");
  expect(await openSocket(host, "/bare?token=x", { "x-signed": "yes" })).toBe("403 TOKEN_INVALID");
});

test("an expired token is rejected while its session is live", async () => {
  await using host = await startRunner({ webSocketAuth: "token" });
  const { id, credential } = await start(host);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + pendingMs + 1_000 });
  try {
    expect(await openSocket(host, `/fake/${credential}`)).toBe("403 TOKEN_INVALID");
  } finally {
    vi.useRealTimers();
  }
  expect(host.runner.sessions.find(id)?.state).toBe("pending");
  expect(await openSocket(host, `/fake/${credential}`)).toBe("open");
});

test("tokens that were changed, or belong to another session, another runner or an ended session, are rejected", async () => {
  await using host = await startRunner({ webSocketAuth: "token" });
  await using other = await startRunner({ webSocketAuth: "token" });
  const { id, credential } = await start(host);
  const another = await start(host);
  const fromOther = await start(other);
  expect(await openSocket(host, `/fake/${credential.replace(id, another.id)}`)).toBe("403 TOKEN_INVALID");
  expect(await openSocket(host, `/fake/${another.id}?token=${credential}`)).toBe("403 TOKEN_INVALID");
  expect(await openSocket(host, `/fake/${fromOther.credential}`)).toBe("403 TOKEN_INVALID");
  await host.runner.sessions.find(another.id)?.end("ended-by-request");
  expect(await openSocket(host, `/fake/${another.credential}`)).toBe("404 SESSION_UNKNOWN");
  expect(await openSocket(host, `/fake/${credential}`)).toBe("open");
});

test("runners with the same secret accept each other's tokens, and find only their own sessions", async () => {
  const webSocketSecret = "a secret of two runners";
  await using host = await startRunner({ webSocketAuth: "token", webSocketSecret });
  await using other = await startRunner({ webSocketAuth: "token", webSocketSecret });
  const { credential } = await start(host);
  expect(await openSocket(other, `/fake/${credential}`)).toBe("404 SESSION_UNKNOWN");
  expect(await openSocket(host, `/fake/${credential}`)).toBe("open");
});

test("of 10 sockets with the same token, one opens", async () => {
  await using host = await startRunner({ webSocketAuth: "token" });
  const { credential } = await start(host);
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => openSocket(host, `/fake/${credential}`)));
  expect(outcomes.toSorted()).toEqual([...Array(9).fill("403 TOKEN_INVALID"), "open"]);
});

test("a token is not consumed by a page of a foreign origin, or by a socket that its route rejects", async () => {
  let full = true;
  const plugin = fakePlugin();
  await using host = await startRunner({
    webSocketAuth: "token",
    allowedOrigins: ["https://app.example.com"],
    plugins: [
      {
        ...plugin,
        async open(runner, options) {
          const opened = await plugin.open(runner, options);
          const [socket] = opened.sockets ?? [];
          if (!socket) throw new Error("the fake transport has no socket");
          const verify = () => !full || { status: 429, code: "AT_CAPACITY", detail: "Full." };
          return { ...opened, sockets: [{ ...socket, verify }] };
        },
      },
    ],
  });
  const { credential } = await start(host);
  expect(await openSocket(host, `/fake/${credential}`, { origin: "https://evil.example" })).toBe("403 ORIGIN_REFUSED");
  expect(await openSocket(host, `/fake/${credential}`, { origin: "https://app.example.com" })).toBe("429 AT_CAPACITY");
  full = false;
  expect(await openSocket(host, `/fake/${credential}`, { origin: "https://app.example.com" })).toBe("open");
});

/** A transport whose session starts at the first message on its socket. Sockets with `?fail` are rejected. */
function startsAtFirstMessage() {
  const plugin = fakePlugin();
  return fakePlugin({
    async open(runner, options) {
      const opened = await plugin.open(runner, options);
      const [route] = opened.sockets ?? [];
      if (!route) throw new Error("the fake transport has no socket");
      const accept: SocketRoute["accept"] = (socket, request) => {
        if (request.url.searchParams.has("fail")) throw new RunnerError("AT_CAPACITY", "The places are taken.");
        let handlers: ReturnType<SocketRoute["accept"]> | undefined;
        return {
          message(data, isBinary) {
            if (handlers) handlers.message(data, isBinary);
            else handlers = route.accept(socket, request);
          },
        };
      };
      return { ...opened, sockets: [{ ...route, accept }] };
    },
  });
}

test("a token is valid again after its socket broke or was rejected while the session is pending, and not later", async () => {
  await using host = await startRunner({ webSocketAuth: "token", plugins: [startsAtFirstMessage()] });
  const { id, credential } = await start(host);
  const url = new URL(`/fake/${credential}`, host.runner.url);
  const broken = new WebSocket(url);
  await once(broken, "open");
  expect(await openSocket(host, url.pathname)).toBe("403 TOKEN_INVALID");
  broken.terminate();
  await expect.poll(() => openSocket(host, `${url.pathname}?fail`)).toBe("open");
  const second = new WebSocket(url);
  await once(second, "open");
  second.send("hello");
  await expect.poll(() => host.runner.sessions.find(id)?.state).toBe("active");
  const closed = once(second, "close");
  second.terminate();
  await closed;
  expect(await openSocket(host, url.pathname)).toMatch(/^403 TOKEN_INVALID$|^404 SESSION_UNKNOWN$/);
});

test("a token is not consumed by a handshake that fails", async () => {
  await using host = await startRunner({ webSocketAuth: "token" });
  const { credential } = await start(host);
  const connection = connect(Number(host.runner.url.port), "127.0.0.1");
  const head = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  connection.write([`GET /fake/${credential} HTTP/1.1`, ...head, "Sec-WebSocket-Key: no", "", ""].join("\r\n"));
  expect(await text(connection)).toMatch(/^HTTP\/1\.1 400 /);
  await expect.poll(() => openSocket(host, `/fake/${credential}`)).toBe("open");
});

test("at capacity, sockets of pending sessions are rejected before the upgrade", async () => {
  await using host = await startRunner({ maxSessions: 1, plugins: [startsAtFirstMessage()] });
  const [one, two] = [await start(host), await start(host)];
  const first = new WebSocket(new URL(`/fake/${one.id}`, host.runner.url));
  await once(first, "open");
  first.send("hello");
  await expect.poll(() => host.runner.sessions.counts.active).toBe(1);
  expect(await openSocket(host, `/fake/${two.id}`)).toBe("429 AT_CAPACITY");
  expect(await openSocket(host, `/fake/${one.id}`)).toBe("409 SESSION_NOT_PENDING");
});

test("the API key opens sockets like a token, also without a session", async () => {
  await using host = await startRunner({ webSocketAuth: "token", apiKey: key, plugins: [withBareSocket("caller")] });
  expect(await openSocket(host, "/bare", { authorization: `Bearer ${key}x` })).toBe("403 TOKEN_INVALID");
  expect(await openSocket(host, `/bare?token=${key}`)).toBe("open");
});

test("with a key and without tokens, a socket without a session requires the key or a verified vendor", async () => {
  const apiKey = "key-without-spaces";
  const headers = { authorization: `Bearer ${apiKey}` };
  await using host = await startRunner({ apiKey, plugins: [fakePlugin(), withBareSocket("caller")] });
  expect(await openSocket(host, "/bare")).toBe("401 KEY_REQUIRED");
  expect(await openSocket(host, "/bare", { authorization: "Bearer key-without-spaceS" })).toBe("401 KEY_REQUIRED");
  expect(await openSocket(host, "/bare", headers)).toBe("open");
  const { id } = await start(host, headers);
  expect(await openSocket(host, `/fake/${id}`)).toBe("open");
  const verify: SocketRoute["verify"] = ({ request }) => request.headers["x-signed"] === "yes";
  await using phones = await startRunner({ apiKey, plugins: [withBareSocket("carrier", { verify })] });
  expect(await openSocket(phones, "/bare")).toBe("401 KEY_REQUIRED");
  expect(await openSocket(phones, "/bare", { "x-signed": "no" })).toBe("401 KEY_REQUIRED");
  expect(await openSocket(phones, "/bare", { "x-signed": "yes" })).toBe("open");
  expect(await openSocket(phones, `/bare?token=${apiKey}`)).toBe("open");
  await using open = await startRunner({ plugins: [withBareSocket("carrier")] });
  expect(await openSocket(open, "/bare")).toBe("open");
});

test("with allowedOrigins, callers' sockets require one of these origins; carriers and tokens do not", async () => {
  const allowedOrigins = ["https://app.example.com"];
  await using host = await startRunner({ allowedOrigins, plugins: [withBareSocket("caller")] });
  expect(await openSocket(host, "/bare")).toBe("403 ORIGIN_REFUSED");
  expect(await openSocket(host, "/bare", { origin: "https://evil.example" })).toBe("403 ORIGIN_REFUSED");
  expect(await openSocket(host, "/bare", { origin: "HTTPS://App.Example.com" })).toBe("open");
  await using phones = await startRunner({ allowedOrigins, plugins: [withBareSocket("carrier")] });
  expect(await openSocket(phones, "/bare")).toBe("open");
  expect(await openSocket(phones, "/bare", { origin: "https://evil.example" })).toBe("403 ORIGIN_REFUSED");
  await using tokens = await startRunner({ allowedOrigins, webSocketAuth: "token" });
  expect(await openSocket(tokens, `/fake/${(await start(tokens)).credential}`)).toBe("open");
});

test("an open socket requires nothing", async () => {
  await using host = await startRunner({
    apiKey: key,
    webSocketAuth: "token",
    allowedOrigins: ["https://app.example.com"],
    plugins: [withBareSocket("open")],
  });
  expect(await openSocket(host, "/bare")).toBe("open");
});

/** The contexts of two plugins in one runner. */
async function startWithContexts(options: Parameters<typeof startRunner>[0] = {}) {
  const contexts: RunnerContext[] = [];
  const plugin = (name: string) =>
    fakePlugin({
      name,
      open(runner) {
        contexts.push(runner);
        return {};
      },
    });
  const host = await startRunner({ plugins: [plugin("one"), plugin("two")], ...options });
  const [one, two] = contexts;
  if (!one || !two) throw new Error("the plugins were not opened");
  return { host, one, two };
}

test("admit returns the session of a credential to its own plugin, and a new one without a credential", async () => {
  const { host, one, two } = await startWithContexts();
  await using _host = host;
  const session = one.createSession();
  const credential = one.credential(session);
  expect(() => two.admit({ credential })).toThrow(expect.objectContaining({ code: "SESSION_UNKNOWN" }));
  expect(one.admit({ credential })).toBe(session);
  const created = one.admit({});
  expect([created.state, created === session]).toEqual(["pending", false]);
  expect(one.findSession(session.id)).toBe(session);
  expect(two.findSession(session.id)).toBeUndefined();
});

test("admit requires the key without a credential, a token with webSocketAuth, and an allowed origin", async () => {
  const { host, one } = await startWithContexts({ apiKey });
  await using _host = host;
  expect(() => one.admit({})).toThrow(expect.objectContaining({ code: "KEY_REQUIRED" }));
  expect(() => one.admit({ key: `${apiKey}x` })).toThrow(expect.objectContaining({ code: "KEY_REQUIRED" }));
  expect(one.admit({ key: apiKey }).state).toBe("pending");
  const metrics = await host.fetch("/metrics", { headers: { authorization: `Bearer ${apiKey}` } });
  expect(await metrics.text()).toContain('pipecat_rejections_total{code="KEY_REQUIRED"} 2');

  const tokens = await startWithContexts({ webSocketAuth: "token", allowedOrigins: ["https://app.example.com"] });
  await using _tokens = tokens.host;
  const session = tokens.one.createSession();
  const credential = tokens.one.credential(session);
  const admit = (given: Parameters<RunnerContext["admit"]>[0]) => () => tokens.one.admit(given);
  expect(admit({ credential: session.id })).toThrow(expect.objectContaining({ code: "TOKEN_REQUIRED" }));
  expect(admit({ credential, origin: "https://evil.example" })).toThrow(
    expect.objectContaining({ code: "ORIGIN_REFUSED" }),
  );
  const { origin } = tokens.host.runner.url;
  expect(admit({ credential, origin })(), "the web client's own page may call").toBe(session);
  expect(admit({ credential })).toThrow(expect.objectContaining({ code: "TOKEN_INVALID" }));
});

const session = (id: string) => ({ id }) as Session;
afterEach(() => void vi.useRealTimers());

test("a token expires after 120 s", () => {
  vi.useFakeTimers({ now: 1_000_000_000_500 });
  const tokens = createSocketTokens();
  const token = tokens.create(session("abc"));
  expect(token).toMatch(/^abc\.1000000121\.[\w-]{43}$/);
  vi.advanceTimersByTime(120_000);
  expect(tokens.check(token)).toBe("abc");
  vi.advanceTimersByTime(500);
  expect(() => tokens.check(token)).toThrow("expired");
});

test.each([
  ["another session", (token: string) => token.replace("abc", "abd")],
  ["another expiry", (token: string) => token.replace(/\.(\d+)\./, (_, expiry) => `.${Number(expiry) + 1}.`)],
  ["another signature", (token: string) => token.replace(/.$/, (last) => (last === "A" ? "E" : "A"))],
  ["no signature", (token: string) => token.replace(/\.[^.]*$/, "")],
  ["an extra part", (token: string) => `${token}.x`],
  ["joined parts", (token: string) => token.replace(".", "")],
  ["no text", () => ""],
  ["dots only", () => ".."],
  ["a long text", () => "a.1.".repeat(10_000)],
])("a token with %s is rejected", (_, change) => {
  const tokens = createSocketTokens();
  const token = tokens.create(session("abc"));
  expect(() => tokens.check(change(token))).toThrow(expect.objectContaining({ code: "TOKEN_INVALID", status: 403 }));
});

test("another runner's token is rejected, unless both have the same secret", () => {
  const token = createSocketTokens().create(session("abc"));
  expect(() => createSocketTokens().check(token)).toThrow("not one of this server");
  const shared = "a secret of sixteen characters";
  expect(createSocketTokens(shared).check(createSocketTokens(shared).create(session("abc")))).toBe("abc");
});

test("with tokens, the URL of a session on an open socket route works", async () => {
  const accept: SocketRoute["accept"] = (_socket, { session }) => {
    session.alias("reached");
    return { message: () => undefined };
  };
  const plugin = fakePlugin({ opened: { sockets: [{ path: "/fake", access: "open", accept }] } });
  await using host = await startRunner({ webSocketAuth: "token", plugins: [plugin] });
  const { credential } = (await host.post("/start")).body;
  expect(await openSocket(host, `/fake/${credential}`)).toBe("open");
});

test("admit leaves a token of another transport's session valid", async () => {
  let other: RunnerContext | undefined;
  const plugin = fakePlugin({
    name: "other",
    open(runner) {
      other = runner;
      return {};
    },
  });
  await using host = await startRunner({ webSocketAuth: "token", plugins: [fakePlugin(), plugin] });
  const { credential } = (await host.post("/start", { transport: "fake" })).body;
  expect(() => other?.admit({ credential: String(credential) })).toThrow("does not exist");
  expect(await openSocket(host, `/fake/${credential}`)).toBe("open");
});

test("a session's token is single-use, unless its use is restored", () => {
  const tokens = createSocketTokens();
  const one = session("one");
  tokens.use(one);
  expect(() => tokens.requireUnused(one)).toThrow("used before");
  tokens.restore(one);
  tokens.requireUnused(one);
  tokens.use(one);
  tokens.requireUnused(session("one"));
});
