import { once } from "node:events";
import type { OpenTransport, RouteContext, StartReply } from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { fakePlugin } from "./test/fake-plugin.ts";
import { openSocket, startRunner } from "./test/fixture.ts";

/** A transport whose start reply names it. */
function named(name: string, rank: number, opened: Partial<OpenTransport> = {}) {
  const start = (): StartReply => ({ sessionId: `${name}-session`, body: { chosen: name } });
  return fakePlugin({ name, rank, opened: { sockets: [], start, ...opened } });
}

const low = named("low", 1);
const high = named("high", 3, { advanced: { claims: (body) => body.claimed === true } });
const middle = named("middle", 2);
const broken = fakePlugin({
  name: "broken",
  check: () => ({ state: "unavailable", reason: "The key is missing", fix: "Set KEY." }),
});
const plugins = [low, high, middle, broken];

test("/start uses the named transport, else the one that claims the body, else the one with the highest rank", async () => {
  await using host = await startRunner({ plugins });
  const chosen = async (body?: unknown) => (await host.post("/start", body)).body.chosen;
  expect(await chosen()).toBe("high");
  expect(await chosen({})).toBe("high");
  expect(await chosen({ transport: null })).toBe("high");
  expect(await chosen({ transport: "low", claimed: true })).toBe("low");
  expect(await (await host.fetch("/status")).json()).toEqual({
    status: "ready",
    transports: ["high", "middle", "low"],
  });
});

test("/status?problems says what the transports lack, with an API key only to those who send it", async () => {
  const problems = [{ name: "broken", reason: "The key is missing", fix: "Set KEY." }];
  await using open = await startRunner({ plugins });
  expect(await (await open.fetch("/status?problems")).json()).toMatchObject({ status: "ready", problems });
  const apiKey = "sixteen-characters";
  await using host = await startRunner({ plugins, apiKey });
  const seen = async (headers: Record<string, string>) => (await host.fetch("/status?problems", { headers })).json();
  expect(await seen({})).not.toHaveProperty("problems");
  expect(await seen({ authorization: "Bearer wrong-sixteen-chars" })).not.toHaveProperty("problems");
  expect(await seen({ authorization: `Bearer ${apiKey}` })).toMatchObject({ problems });
  await using exposed = await startRunner({ plugins, publicUrl: "https://bots.example.com" });
  expect(await (await exposed.fetch("/status?problems")).json()).not.toHaveProperty("problems");
});

test("the runner listens before its transports are warm, and /readyz gets 503 until they are", async () => {
  const warm = Promise.withResolvers<void>();
  const slow = named("slow", 1, { advanced: { warmUp: () => warm.promise } });
  const failing = named("failing", 2, { advanced: { warmUp: () => Promise.reject(new Error("no module")) } });
  await using host = await startRunner({ plugins: [slow, failing] });
  const ready = await host.fetch("/readyz");
  expect([ready.status, await ready.json()]).toMatchObject([503, { code: "STARTING" }]);
  expect((await host.post("/start", { transport: "slow" })).status).toBe(200);
  warm.resolve();
  await expect.poll(async () => (await host.fetch("/readyz")).status).toBe(200);
  expect(host.log.messages("error")).toEqual(["warm-up failed"]);
});

test("a claim overrides the rank", async () => {
  const claiming = named("claiming", -1, { advanced: { claims: (body) => body.claimed === true } });
  await using host = await startRunner({ plugins: [low, claiming] });
  expect((await host.post("/start", { claimed: true })).body).toEqual({ chosen: "claiming" });
  expect((await host.post("/start", { claimed: false })).body).toEqual({ chosen: "low" });
});

test("a request to call a number goes to a transport that has numbers, and others reject it", async () => {
  const phone = named("phone", -1, { advanced: { claims: ({ dial }) => dial !== undefined } });
  const dial = { to: "+15550100", from: "+15550199" };
  await using host = await startRunner({ plugins: [low, middle, phone] });
  expect((await host.post("/start", { dial })).body).toEqual({ chosen: "phone" });
  const refused = await host.post("/start", { transport: "low", dial });
  expect([refused.status, refused.body.code]).toEqual([501, "DIAL_UNSUPPORTED"]);
  expect(refused.body.detail).toBe('"low" cannot call phone numbers. Name "phone" as transport, or omit dial.');
  await using without = await startRunner({ plugins: [low, middle] });
  expect((await without.post("/start", { dial })).body.detail).toMatch(/Install a phone carrier, or omit dial\.$/);
});

test("/start returns the transport's reply unchanged, and the session's id in a header, to other origins too", async () => {
  await using host = await startRunner({ plugins, allowedOrigins: ["*"] });
  const response = await host.fetch("/start", { method: "POST", headers: { origin: "https://shop.example" } });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-session-id")).toBe("high-session");
  expect(response.headers.get("access-control-expose-headers")).toBe("X-Session-Id");
  expect(response.headers.get("content-type")).toContain("application/json");
  expect(await response.text()).toBe('{"chosen":"high"}');
});

test("restricted to one transport, /start uses it and rejects the others", async () => {
  await using host = await startRunner({ plugins, transport: "low" });
  expect((await host.post("/start")).body).toEqual({ chosen: "low" });
  expect((await host.post("/start", { claimed: true })).body).toEqual({ chosen: "low" });
  const { status, body } = await host.post("/start", { transport: "high" });
  expect([status, body.code]).toEqual([400, "TRANSPORT_EXCLUDED"]);
  expect(body.detail).toContain('only "low", not "high"');
  expect(await (await host.fetch("/status")).json()).toEqual({ status: "ready", transports: ["low"] });
});

test("the error for an unknown transport lists the installed ones, and names no package that may not exist", async () => {
  await using host = await startRunner({ plugins });
  const { status, body, headers } = await host.post("/start", { transport: "other" });
  expect([status, body.code]).toEqual([400, "TRANSPORT_UNKNOWN"]);
  expect(body.detail).toContain('The transport "other" is not installed.');
  expect(body.detail).toContain('Installed: "high", "middle", "low", "broken".');
  expect(body.detail).toContain("https://github.com/pipecat-ts/pipecat-runner#transports");
  expect(body.detail).not.toMatch(/runner-other|npm i/);
  expect(headers.get("x-session-id")).toBeNull();
  const odd = await host.post("/start", { transport: "; rm -rf / ".repeat(50) });
  expect(String(odd.body.detail).length).toBeLessThan(400);
});

test("the error for an unavailable transport contains its reason and fix", async () => {
  await using host = await startRunner({ plugins });
  const { status, body } = await host.post("/start", { transport: "broken" });
  expect([status, body.code]).toEqual([400, "TRANSPORT_UNAVAILABLE"]);
  expect(body.detail).toContain("The key is missing. Set KEY.");
});

test("without a transport that can start, /start gets an error", async () => {
  await using nothing = await startRunner({ plugins: [] });
  expect((await nothing.post("/start")).body).toMatchObject({ code: "TRANSPORT_UNKNOWN" });
  await using only = await startRunner({ plugins: [broken] });
  const { body } = await only.post("/start");
  expect(body.code).toBe("TRANSPORT_UNAVAILABLE");
  expect(body.detail).toContain('"broken": The key is missing. Set KEY.');
});

test.each([
  ["a list", []],
  ["a string", "webby"],
  ["a number", 7],
  ["a boolean", true],
  ["null", null],
])("/start rejects a body that is %s", async (what, json) => {
  await using host = await startRunner({ plugins });
  const { status, body } = await host.post("/start", json);
  expect([status, body.code]).toEqual([400, "BODY_INVALID"]);
  expect(body.detail).toContain(what);
});

test.each([7, true, {}, ["low"]])("/start rejects a transport that is not a string: %j", async (transport) => {
  await using host = await startRunner({ plugins });
  const { status, body } = await host.post("/start", { transport });
  expect([status, body.code]).toEqual([400, "BODY_INVALID"]);
  expect(body.detail).toContain('"transport"');
});

test("/start parses its body as JSON whatever the content type, because curl sends JSON as a form", async () => {
  await using host = await startRunner({ plugins });
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "application/octet-stream"]) {
    const headers = { "content-type": type };
    const response = await host.fetch("/start", { method: "POST", headers, body: '{"transport":"low"}' });
    expect(await response.json()).toEqual({ chosen: "low" });
  }
  const empty = await host.fetch("/start", { method: "POST", headers: { "content-type": "application/json" } });
  expect(empty.status).toBe(200);
});

test("/start rejects a multipart body", async () => {
  await using host = await startRunner({ plugins });
  const body = new FormData();
  body.set("transport", "low");
  const response = await host.fetch("/start", { method: "POST", body });
  const detail = expect.stringContaining("multipart");
  expect([response.status, await response.json()]).toEqual([400, { code: "BODY_INVALID", detail }]);
});

test("the start body reaches the bot, and at capacity the next start request gets 429 with Retry-After", async () => {
  const bodies: unknown[] = [];
  await using host = await startRunner({
    maxSessions: 1,
    bot: ({ body, signal }) => {
      bodies.push(body);
      return new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const { socket, id } = await host.call({ table: 4 });
  await expect.poll(() => bodies).toEqual([{ table: 4 }]);
  const rejected = await host.post("/start");
  expect([rejected.status, rejected.body.code]).toEqual([429, "AT_CAPACITY"]);
  expect(Number(rejected.headers.get("retry-after"))).toBeGreaterThan(0);
  socket.close();
  await host.runner.sessions.find(id)?.end("ended-by-request");
  expect((await host.post("/start")).status).toBe(200);
});

test("at capacity, the transport's start is not called", async () => {
  const startFake = vi.fn(() => ({ sessionId: "", body: {} }));
  await using host = await startRunner({
    maxSessions: 1,
    plugins: [fakePlugin(), named("low", -1, { start: startFake })],
  });
  await host.call();
  expect((await host.post("/start", { transport: "low" })).status).toBe(429);
  expect(startFake).not.toHaveBeenCalled();
});

test("an exception in start gets 500 without details, which are in the log", async () => {
  const failing = fakePlugin({
    opened: {
      start: () => {
        throw new Error("the key is hunter2");
      },
    },
  });
  await using host = await startRunner({ plugins: [failing] });
  const { status, body } = await host.post("/start");
  expect([status, body]).toEqual([500, { code: "INTERNAL", detail: expect.not.stringContaining("hunter2") }]);
  const line = host.log.lines.find(({ level }) => level === "error");
  expect(line?.fields).toMatchObject({ route: "/start", err: expect.objectContaining({ stack: expect.any(String) }) });
});

test("callers without a body get the runner's body", async () => {
  const bodies: unknown[] = [];
  await using host = await startRunner({ body: { from: "runner" }, bot: ({ body }) => void bodies.push(body) });
  await host.call();
  await host.call({ from: "caller" });
  await host.call(null);
  await expect.poll(() => bodies).toEqual([{ from: "runner" }, { from: "caller" }, null]);
});

const withOffer = fakePlugin({
  opened: {
    routes: [
      {
        method: ["POST", "PATCH"],
        path: "/sessions/:sessionId/api/offer",
        access: "caller",
        schema: Type.Object({
          sdp: Type.String(),
          type: Type.Optional(Type.Literal("offer")),
          candidates: Type.Optional(Type.Array(Type.Object({ id: Type.Integer() }))),
        }),
        handle: (ctx: RouteContext) => {
          ctx.body = { offered: ctx.params.sessionId, raw: String(ctx.request.rawBody) };
        },
      },
    ],
  },
});

test("a transport's route below a live session is answered", async () => {
  await using host = await startRunner({ plugins: [withOffer] });
  const { id } = (await host.post("/start")).body;
  const { status, body } = await host.post(`/sessions/${id}/api/offer`, { sdp: "v=0" });
  expect([status, body]).toEqual([200, { offered: id, raw: '{"sdp":"v=0"}' }]);
});

test.each([
  [{}, "The body must have required properties sdp."],
  [{ sdp: 7 }, '"sdp" in the body must be string.'],
  [{ sdp: "", type: "answer" }, '"type" in the body must be "offer".'],
  [{ sdp: "", candidates: [{ id: 1 }, { id: "x" }] }, '"candidates.1.id" in the body must be integer.'],
  [[], "The body must be object."],
  [null, "The body must be object."],
  [undefined, "The body must be object."],
])("a body that does not match the route's schema is rejected with the field: %j", async (sent, detail) => {
  await using host = await startRunner({ plugins: [withOffer] });
  const { id } = (await host.post("/start")).body;
  const { status, body } = await host.post(`/sessions/${id}/api/offer`, sent);
  expect([status, body]).toEqual([400, { code: "BODY_INVALID", detail }]);
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE"])(
  "the bot answers requests that no route of its transport answers: %s",
  async (method) => {
    await using host = await startRunner({
      plugins: [withOffer],
      bot: async ({ session, signal, sessionId }) => {
        session.onRequest(async (ctx) => {
          await new Promise((resolve) => setTimeout(resolve, 10));
          if (ctx.params.path === "notes/a b")
            ctx.body = { sessionId, method: ctx.method, body: (ctx as RouteContext).request.body };
        });
        session.onRequest((ctx) => {
          if (ctx.params.path === "") ctx.body = { sessionId: "from the bot" };
        });
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const { id } = await host.call();
    const init = method === "GET" ? {} : { body: '{"a":1}', headers: { "content-type": "application/json" } };
    const response = await host.fetch(`/sessions/${id}/notes/a%20b`, { method, ...init });
    const body = method === "GET" ? {} : { body: { a: 1 } };
    expect(await response.json()).toEqual({ sessionId: id, method, ...body });
    if (method !== "DELETE") {
      const session = await host.fetch(`/sessions/${id}`, { method });
      // The runner answers GET itself.
      expect(await session.json()).toMatchObject({ sessionId: method === "GET" ? id : "from the bot" });
    }
    const unanswered = await host.fetch(`/sessions/${id}/other`, { method });
    expect([unanswered.status, await unanswered.json()]).toEqual([404, expect.objectContaining({ code: "NOT_FOUND" })]);
  },
);

test("an exception in a request handler of the bot gets 500, and the session continues", async () => {
  await using host = await startRunner({
    bot: async ({ session, signal }) => {
      session.onRequest(() => {
        throw new Error("secret");
      });
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const { id } = await host.call();
  const response = await host.fetch(`/sessions/${id}/x`);
  expect([response.status, await response.json()]).toEqual([500, expect.objectContaining({ code: "INTERNAL" })]);
  expect(host.runner.sessions.counts.active).toBe(1);
});

test.each([
  ["a BigInt", () => ({ n: 1n })],
  [
    "a circular object",
    () => {
      const circular: { self?: object } = {};
      circular.self = circular;
      return circular;
    },
  ],
])("a body of a bot that JSON cannot represent gets 500 as JSON, and is logged: %s", async (_, create) => {
  await using host = await startRunner({
    bot: async ({ session, signal }) => {
      session.onRequest((ctx) => {
        ctx.body = create();
      });
      await once(signal, "abort");
    },
  });
  const { id } = await host.call();
  const response = await host.fetch(`/sessions/${id}/x`);
  expect([response.status, await response.json()]).toEqual([500, expect.objectContaining({ code: "INTERNAL" })]);
  expect(host.log.messages("error")).toEqual(["request failed"]);
});

test("a request whose handler never answers ends with its session", async () => {
  await using host = await startRunner({
    bot: async ({ session, signal }) => {
      session.onRequest(() => new Promise(() => undefined));
      await once(signal, "abort");
    },
  });
  const { id } = await host.call();
  let answered = false;
  const response = host.fetch(`/sessions/${id}/x`).finally(() => {
    answered = true;
  });
  await host.fetch("/livez");
  expect(answered).toBe(false);
  await host.fetch(`/sessions/${id}`, { method: "DELETE" });
  expect([(await response).status, await (await response).json()]).toEqual([
    409,
    expect.objectContaining({ code: "CALL_ENDED" }),
  ]);
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE"])(
  "every path below an unknown session gets 404 JSON: %s",
  async (method) => {
    await using host = await startRunner({ plugins: [withOffer] });
    for (const path of [
      "/sessions/unknown",
      "/sessions/unknown/api/offer",
      "/sessions/%E0%A4%A/x",
      "/sessions/__proto__/x",
    ]) {
      const response = await host.fetch(path, { method });
      expect([response.status, await response.json()]).toEqual([
        404,
        expect.objectContaining({ code: "SESSION_UNKNOWN" }),
      ]);
    }
  },
);

test("an ended session gets 404 JSON", async () => {
  await using host = await startRunner({ plugins: [withOffer] });
  const { id } = (await host.post("/start")).body;
  await host.runner.sessions.find(String(id))?.end("ended-by-request");
  const { status, body } = await host.post(`/sessions/${id}/api/offer`, { sdp: "v=0" });
  expect([status, body.code]).toEqual([404, "SESSION_UNKNOWN"]);
});

test("while draining, pending sessions get 503 over HTTP and WebSocket, and active ones continue", async () => {
  for (const webSocketAuth of ["none", "token"] as const) {
    await using host = await startRunner({ plugins: [withOffer], webSocketAuth });
    const active = (await host.post("/start")).body;
    const socket = new WebSocket(new URL(`/fake/${active.credential}`, host.runner.url));
    await once(socket, "open");
    const { id, credential } = (await host.post("/start")).body;
    void host.runner.drain();
    const offered = await host.post(`/sessions/${id}/api/offer`, { sdp: "v=0" });
    expect([offered.status, offered.headers.get("retry-after"), offered.body.code]).toEqual([503, "5", "DRAINING"]);
    expect(await openSocket(host, `/fake/${credential}`)).toBe("503 DRAINING");
    expect((await host.post(`/sessions/${active.id}/api/offer`, { sdp: "v=0" })).status).toBe(200);
    await host.runner.close();
  }
});

test("GET /sessions lists pending and active sessions without their bodies", async () => {
  await using host = await startRunner();
  const waiting = (await host.post("/start", { body: "secret" })).body.id;
  const { id } = await host.call({ number: "+15551234567" });
  const response = await host.fetch("/sessions");
  const text = await response.text();
  expect(JSON.parse(text)).toEqual({
    sessions: [
      expect.objectContaining({ sessionId: waiting, transport: "fake", state: "pending" }),
      {
        sessionId: id,
        transport: "fake",
        state: "active",
        startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        durationMs: expect.any(Number),
      },
    ],
  });
  expect(text).not.toMatch(/secret|\+1555/);
  const one = await (await host.fetch(`/sessions/${id}`)).json();
  expect(one).toMatchObject({ sessionId: id, state: "active", handles: [] });
});

test("DELETE ends a session and answers when it has ended", async () => {
  const ended: string[] = [];
  await using host = await startRunner({
    bot: async ({ signal, sessionId }) => {
      await once(signal, "abort");
      ended.push(sessionId);
    },
  });
  const waiting = String((await host.post("/start")).body.id);
  const { id } = await host.call();
  for (const sessionId of [id, waiting]) {
    const response = await host.fetch(`/sessions/${sessionId}`, { method: "DELETE" });
    expect([response.status, await response.json()]).toEqual([
      200,
      expect.objectContaining({ sessionId, state: "ended", reason: "ended-by-request" }),
    ]);
    const described = await host.fetch(`/sessions/${sessionId}`);
    expect([described.status, await described.json()]).toEqual([
      200,
      {
        ...{ sessionId, transport: "fake", state: "ended", reason: "ended-by-request" },
        ...{ startedAt: expect.any(String), durationMs: expect.any(Number) },
      },
    ]);
    for (const request of [`/sessions/${sessionId}/x`, `/sessions/${sessionId}`]) {
      expect((await host.fetch(request, { method: request.endsWith("x") ? "GET" : "DELETE" })).status).toBe(404);
    }
  }
  expect(ended).toEqual([id]);
  expect(await (await host.fetch("/sessions")).json()).toEqual({ sessions: [] });
  expect(host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("an alias is not accepted in place of a session's id", async () => {
  await using host = await startRunner();
  const { id } = await host.call();
  host.runner.sessions.find(id)?.alias("CA123");
  for (const method of ["GET", "DELETE"]) {
    const response = await host.fetch("/sessions/CA123", { method });
    expect([response.status, await response.json()]).toEqual([
      404,
      expect.objectContaining({ code: "SESSION_UNKNOWN" }),
    ]);
  }
  expect(host.runner.sessions.counts.active).toBe(1);
});

test("with an API key, listing and ending sessions require it", async () => {
  const apiKey = "sixteen-characters";
  const headers = { authorization: `Bearer ${apiKey}` };
  await using host = await startRunner({ apiKey });
  const started = await host.fetch("/start", { method: "POST", headers });
  const { id } = (await started.json()) as { id: string };
  for (const [path, method] of [
    ["/sessions", "GET"],
    [`/sessions/${id}`, "GET"],
    [`/sessions/${id}`, "DELETE"],
  ] as const) {
    expect((await host.fetch(path, { method })).status).toBe(401);
    expect((await host.fetch(path, { method, headers })).status).toBe(200);
  }
});
