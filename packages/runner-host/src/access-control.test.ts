import { request } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { createAccessOptions } from "./access-options.ts";
import { openSocket } from "./test/open-socket.ts";
import { toyPlugin } from "./test/toy-plugin.ts";
import { startToyRunner, type ToyRunner } from "./test/toy-runner.ts";

const apiKey = "sixteen-characters";

/** A GET with headers that fetch would not send: the status, and the code of an error. */
async function get(host: ToyRunner, path: string, headers: Record<string, string>): Promise<string> {
  const { hostname, port } = host.runner.url;
  return await new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers }, async (response) => {
      resolve(`${response.statusCode} ${JSON.parse(await text(response)).code ?? ""}`.trim());
    });
    sent.on("error", reject).end();
  });
}

const guarded = toyPlugin({
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

test("with a key, whatever a caller may do needs it", async () => {
  await using host = await startToyRunner({ apiKey, plugins: [guarded] });
  const ask = async (path: string, method: string, authorization?: string) =>
    (await host.fetch(path, { method, headers: authorization === undefined ? {} : { authorization } })).status;
  for (const [path, method] of [
    ["/start", "POST"],
    ["/caller", "POST"],
    ["/sessions/nobody", "GET"],
    ["/sessions/nobody/api/offer", "PATCH"],
  ] as const) {
    for (const wrong of [
      undefined,
      "Bearer",
      `Bearer ${apiKey}x`,
      `Bearer ${apiKey.slice(1)}`,
      `Basic ${apiKey}`,
      apiKey,
    ]) {
      expect([path, wrong, await ask(path, method, wrong)]).toEqual([path, wrong, 401]);
    }
    expect(await ask(path, method, `Bearer ${apiKey}`)).not.toBe(401);
  }
  expect(await Promise.all([ask("/carrier", "POST"), ask("/open", "POST"), ask("/status", "GET")])).toEqual([
    200, 200, 200,
  ]);
  expect(host.runner.sessions.counts.pending).toBe(1);
  const refused = await host.post("/start");
  expect([refused.body.code, refused.headers.get("www-authenticate")]).toEqual(["KEY_REQUIRED", "Bearer"]);
});

test("a page of any origin may call, and is never given credentials", async () => {
  await using host = await startToyRunner();
  const { headers } = await host.fetch("/status", { headers: { origin: "https://any.example" } });
  expect([headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")]).toEqual([
    "*",
    null,
  ]);
});

test("with a list of origins only their pages and our own may call", async () => {
  const allowedOrigins = ["https://App.example.com:8443/", "capacitor://localhost"];
  await using host = await startToyRunner({ allowedOrigins, publicUrl: "https://bots.example.com" });
  const { origin: own } = host.runner.url;
  const ask = async (origin: string, method = "POST") => {
    const preflight = { "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
    const headers = { origin, ...(method === "OPTIONS" && preflight) };
    const response = await host.fetch("/start", { method, headers });
    return [response.status, response.headers.get("access-control-allow-origin"), response.headers.get("vary")];
  };
  for (const origin of ["https://app.example.com:8443", "capacitor://localhost", own, "https://bots.example.com"]) {
    expect(await ask(origin)).toEqual([200, origin, "Origin"]);
    expect(await ask(origin, "OPTIONS")).toEqual([204, origin, "Origin"]);
  }
  for (const origin of [
    "https://app.example.com",
    "https://evil.example",
    "null",
    "https://bots.example.com.evil.example",
  ]) {
    expect(await ask(origin)).toEqual([403, null, "Origin"]);
    expect(await ask(origin, "OPTIONS")).toEqual([403, null, "Origin"]);
  }
  expect((await host.post("/start")).status).toBe(200);
});

test("without a list, other sites' pages may start calls, and learn nothing of others'", async () => {
  await using host = await startToyRunner({ folder: import.meta.dirname });
  const ask = async (path: string, origin?: string) =>
    (await host.fetch(path, { headers: origin === undefined ? {} : { origin } })).status;
  for (const path of ["/sessions", "/metrics", "/files/access-control.test.ts"]) {
    expect([path, await ask(path, "https://evil.example")]).toEqual([path, 403]);
    expect([path, await ask(path, "null")]).toEqual([path, 403]);
    expect([path, await ask(path, host.runner.url.origin), await ask(path)]).toEqual([path, 200, 200]);
  }
  const { id } = (await host.post("/start")).body;
  expect(await ask(`/sessions/${id}`, "https://app.example.com")).toBe(200);
  await using open = await startToyRunner({ allowedOrigins: ["*"] });
  expect((await open.fetch("/sessions", { headers: { origin: "https://any.example" } })).status).toBe(200);
  await using keyed = await startToyRunner({ apiKey });
  const headers = { origin: "https://any.example", authorization: `Bearer ${apiKey}` };
  expect((await keyed.fetch("/sessions", { headers })).status).toBe(200);
});

test("a forwarded host makes no page our own, unless the proxy is trusted", async () => {
  const headers = { origin: "https://evil.example", "x-forwarded-host": "evil.example" };
  await using host = await startToyRunner({ allowedOrigins: ["https://app.example.com"] });
  expect(await get(host, "/status", headers)).toBe("403 ORIGIN_REFUSED");
  await using behind = await startToyRunner({ allowedOrigins: ["https://app.example.com"], trustProxy: true });
  expect(await get(behind, "/status", headers)).toBe("200");
});

test("a server of this machine answers to no other name, over HTTP or WebSocket", async () => {
  await using host = await startToyRunner({ publicUrl: "https://bots.example.com" });
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
    expect(await openSocket(host, `/toy/${id}`, spoofed)).toBe("403 HOST_REFUSED");
  }
  expect(host.log.messages("warn").filter((line) => line.includes("evil.example"))).toHaveLength(1);
  expect(await openSocket(host, `/toy/${id}`)).toBe("open");
});

test("a server with a key, or for every network, is called by whatever name", async () => {
  await using keyed = await startToyRunner({ apiKey });
  expect(await get(keyed, "/status", { host: "evil.example" })).toBe("200");
  await using open = await startToyRunner({ host: "0.0.0.0" });
  expect(await get(open, "/status", { host: "evil.example" })).toBe("200");
});

test("what anyone may do is told where others reach the server", async () => {
  const openToAll = async (options: Parameters<typeof startToyRunner>[0]) => {
    await using host = await startToyRunner({ plugins: [guarded], ...options });
    return host.runner.openToAll;
  };
  expect(await openToAll({})).toEqual([]);
  expect(await openToAll({ host: "0.0.0.0" })).toEqual([
    "POST /start",
    "/sessions",
    "/metrics",
    "POST /caller",
    "WS /toy",
  ]);
  expect(await openToAll({ publicUrl: "https://x.example" })).toEqual(await openToAll({ host: "0.0.0.0" }));
  expect(await openToAll({ trustProxy: true })).toEqual(await openToAll({ host: "0.0.0.0" }));
  expect(await openToAll({ host: "0.0.0.0", webSocketAuth: "token" })).toEqual([
    "POST /start",
    "/sessions",
    "/metrics",
    "POST /caller",
  ]);
  expect(await openToAll({ host: "0.0.0.0", folder: import.meta.dirname })).toContain("/files");
  expect(await openToAll({ host: "0.0.0.0", apiKey, folder: import.meta.dirname })).toEqual([]);
});

test("a carrier's route that takes anybody is told, with a key too", async () => {
  const handle = () => undefined;
  const carrier = { method: ["POST", "GET"], access: "carrier", handle } as const;
  const routes = [
    { ...carrier, path: "/signed", takesAnybody: false },
    { ...carrier, path: "/unsigned", takesAnybody: true },
  ];
  const plugins = [toyPlugin({ opened: { routes, sockets: [] } })];
  await using open = await startToyRunner({ host: "0.0.0.0", plugins, apiKey });
  expect(open.runner.openToAll).toEqual(["POST /unsigned"]);
  await using local = await startToyRunner({ plugins });
  expect(local.runner.openToAll).toEqual([]);
});

test.each([
  [{ apiKey: "short" }, /--api-key .*16 characters/],
  [{ webSocketSecret: "short" }, /PIPECAT_WEBSOCKET_SECRET|webSocketSecret/],
  [{ webSocketAuth: "maybe" as never }, /--ws-auth .*none, token/],
  [{ allowedOrigins: ["app.example.com"] }, /"app.example.com", which is no origin/],
  [{ allowedOrigins: ["https://app.example.com/path"] }, /no origin/],
])("access cannot be set to %j", (given, message) => {
  expect(() => createAccessOptions(given)).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(message) }),
  );
  if ("apiKey" in given) expect(() => createAccessOptions(given)).not.toThrow(/short/);
});
