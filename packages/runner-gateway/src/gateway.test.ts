import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { request as sendRequest } from "node:http";
import { connect as connectTcp } from "node:net";
import { basename, dirname, join } from "node:path";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Bot, type RunnerContext, RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { type FakeArguments, fakePlugin } from "../../runner-host/src/test/fake-plugin.ts";
import type { Fleet } from "./fleet.ts";
import { createGateway } from "./gateway.ts";
import { listeningBot, startGateway } from "./test/fixture.ts";
import { createInMemoryWorkers } from "./test/in-memory-workers.ts";
import type { StartWorker } from "./worker-process.ts";

/** Counts what each worker got. */
function reasons(log: { readonly lines: readonly { message: string; fields: Readonly<Record<string, unknown>> }[] }) {
  return log.lines.filter(({ message }) => message === "session ended").map(({ fields }) => fields.reason);
}

test("each call gets a worker of its own, and requests and sockets reach the worker of their session", async () => {
  await using host = await startGateway();
  const calls = [await host.call(), await host.call(), await host.call()];
  expect(host.workers.runners.map(({ sessions }) => sessions.counts.active).sort()).toEqual([0, 1, 1, 1]);
  for (const { id } of calls) {
    const response = await host.fetch(`/sessions/${id}`);
    expect(await response.json()).toMatchObject({ sessionId: id, state: "active" });
  }
  const listed = (await (await host.fetch("/sessions")).json()) as {
    readonly sessions: { readonly sessionId: string }[];
  };
  expect(listed.sessions.map(({ sessionId }) => sessionId).sort()).toEqual(calls.map(({ id }) => id).sort());
  expect((await host.fetch(`/sessions/${calls[0]?.id}`, { method: "DELETE" })).status).toBe(200);
  expect(reasons(host.log)).toEqual(["ended-by-request"]);
  const ended = await (await host.fetch(`/sessions/${calls[0]?.id}`)).json();
  expect(ended).toMatchObject({ sessionId: calls[0]?.id, state: "ended", reason: "ended-by-request" });
  expect(host.gateway.sessions.counts).toEqual({ pending: 0, active: 2 });
});

test("a worker takes several calls with --worker-sessions, and the fullest one with a free place comes first", async () => {
  await using host = await startGateway({ workerSessions: 2 });
  for (let count = 0; count < 4; count++) await host.call();
  const loads = host.workers.runners.map(({ sessions }) => sessions.counts.active);
  expect(loads.filter((load) => load > 0)).toEqual([2, 2]);
});

test("the limit of all calls holds, and a caller above it gets 429 from a worker or the gateway", async () => {
  await using host = await startGateway({}, { maxSessions: 2 });
  const [one] = [await host.call(), await host.call()];
  await expect(host.start()).rejects.toThrow("429 AT_CAPACITY");
  const bare = await host.fetch("/start", { method: "POST" });
  expect(bare.headers.get("retry-after")).toBe("5");
  one?.socket.close();
  await expect.poll(() => host.gateway.sessions.counts.active).toBe(1);
  await host.start();
});

test("simultaneous starts get one place each, and none waits for a place that will not exist", async () => {
  await using host = await startGateway({ maxWorkers: 3 });
  const results = await Promise.allSettled(Array.from({ length: 12 }, () => host.start()));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  const rejected = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  expect(new Set(rejected)).toEqual(new Set(["Error: 429 AT_CAPACITY"]));
});

test("a pending session of 10 s loses its place to a new caller, a younger one does not", async () => {
  await using host = await startGateway({ maxWorkers: 1 });
  await host.start();
  await expect(host.start()).rejects.toThrow("429");
  const now = performance.now();
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now + 11_000);
  await host.start();
  clock.mockRestore();
  expect(reasons(host.log)).toEqual(["evicted"]);
});

test("a crash ends the sessions of one worker with `crashed`, and no other", async () => {
  await using host = await startGateway();
  const [one, two] = [await host.call(), await host.call()];
  const owner = [...host.workers.running.values()].find(({ runner }) => runner?.sessions.find(one.id));
  const closed = once(one.socket, "close");
  owner?.crash();
  await closed;
  expect(host.log.lines).toContainEqual({
    level: "info",
    message: "session ended",
    fields: { session: one.id, transport: "fake", reason: "crashed", durationMs: expect.any(Number) },
  });
  expect(host.log.lines).toContainEqual({
    level: "error",
    message: "worker ended unexpectedly",
    fields: { worker: 1, pid: undefined, cause: "signal", code: null, signal: "SIGKILL", sessions: 1 },
  });
  const ended = await (await host.fetch(`/sessions/${one.id}`)).json();
  expect(ended).toMatchObject({ sessionId: one.id, transport: "fake", state: "ended", reason: "crashed" });
  expect(await (await host.fetch(`/sessions/${two.id}`)).json()).toMatchObject({ state: "active" });
  const metrics = await (await host.fetch("/metrics")).text();
  expect(metrics).toContain('pipecat_sessions_ended_total{transport="fake",reason="crashed"} 1');
  expect(metrics).toContain('pipecat_worker_exits_total{cause="signal"} 1');
  expect(metrics).toContain('pipecat_sessions{transport="fake",state="active"} 1');
  await host.call();
});

test("after a crash, another worker cleans up with the record of the session, unless the session has ended", async () => {
  const cleaned: unknown[] = [];
  const phone = fakePlugin({
    open: (runner: RunnerContext) => ({
      start() {
        const session = runner.createSession();
        session.rememberForCrash({ callId: "CA1" });
        return { sessionId: session.id, body: { id: session.id } };
      },
      advanced: { cleanUpAfterCrash: (record) => void cleaned.push(record) },
    }),
  });
  await using host = await startGateway({ workerSessions: 2 }, { plugins: [phone] });
  const ended = await host.start();
  await host.start();
  await host.fetch(`/sessions/${ended}`, { method: "DELETE" });
  host.workers.running.get(1)?.crash();
  await expect.poll(() => cleaned).toEqual([{ callId: "CA1" }]);
});

test("kill() removes the folder of the sockets while dying workers still create files in it", async () => {
  await using host = await startGateway();
  const folder = dirname(host.workers.running.get(1)?.path ?? "");
  // With many files, others are created while these are deleted.
  for (let count = 0; count < 2_000; count++) writeFileSync(join(folder, `${count}`), "");
  const isRunning = new Int32Array(new SharedArrayBuffer(4));
  const program = `const { workerData: { isRunning, path } } = require("node:worker_threads");
    try {
      for (const endMs = performance.now() + 2_000; performance.now() < endMs; ) {
        require("node:fs").writeFileSync(path + performance.now(), "");
        Atomics.store(isRunning, 0, 1);
        Atomics.notify(isRunning, 0);
      }
    } catch {} // The folder is removed.`;
  const workers = [1, 2].map(
    (number) => new Worker(program, { eval: true, workerData: { isRunning, path: join(folder, `${number}-`) } }),
  );
  const ended = Promise.all(workers.map((worker) => once(worker, "exit")));
  await Promise.all(workers.map((worker) => once(worker, "online")));
  Atomics.wait(isRunning, 0, 0, 5_000);
  host.gateway.kill();
  await ended;
  expect(readdirSync(dirname(folder)).filter((name) => name.startsWith(basename(folder)))).toEqual([]);
  await host.gateway.close();
  host.gateway.kill();
});

test("a worker that ended at its heap limit is reported as such", async () => {
  await using host = await startGateway();
  host.workers.running.get(1)?.crash("… JavaScript heap out of memory\n");
  await expect.poll(() => host.log.lines.map(({ fields }) => fields.cause)).toContain("memory");
});

test("counters do not fall when a worker ends", async () => {
  await using host = await startGateway({ workerCalls: 1 });
  await host.fetch("/unknown");
  const { socket } = await host.call();
  socket.close();
  const counters = async () => {
    const metrics = await (await host.fetch("/metrics")).text();
    return [
      /pipecat_rejections_total{code="NOT_FOUND"} (\d+)/.exec(metrics)?.[1],
      /pipecat_sessions_ended_total{transport="fake",reason="caller-left"} (\d+)/.exec(metrics)?.[1],
    ];
  };
  await expect.poll(counters).toEqual(["1", "1"]);
  await expect.poll(() => host.workers.running.has(1)).toBe(false);
  expect(await counters()).toEqual(["1", "1"]);
});

test("a crash does not lose how the sessions before it ended", async () => {
  await using host = await startGateway();
  const { socket } = await host.call();
  socket.close();
  await expect.poll(() => host.gateway.sessions.counts).toEqual({ pending: 0, active: 0 });
  host.workers.running.get(1)?.crash();
  await expect.poll(() => host.workers.running.has(1)).toBe(false);
  const metrics = await (await host.fetch("/metrics")).text();
  expect(metrics).toContain('pipecat_sessions_ended_total{transport="fake",reason="caller-left"} 1');
});

test("a blocked worker gets no new calls, and its own requests wait for it", async () => {
  await using host = await startGateway({ maxWorkers: 2, workerSessions: 5 });
  const { id } = await host.call();
  const release = host.workers.running.get(1)?.block();
  const now = performance.now();
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now + 2_000);
  const other = await host.start();
  clock.mockRestore();
  expect(ownerOf(host, other)).toBe(2);
  expect(host.log.lines.map(({ message }) => message)).toContain("worker does not answer; it gets no new calls");
  release?.();
  const response = await host.fetch(`/sessions/${id}`);
  expect(response.status).toBe(200);
});

function ownerOf({ workers }: Pick<Awaited<ReturnType<typeof startGateway>>, "workers">, id: string) {
  return [...workers.running].find(([, { runner }]) => runner?.sessions.find(id))?.[0];
}

test("an alias in a body leads to the worker of its session, also with a prefix, and in a form", async () => {
  const seen: string[] = [];
  await using host = await startGateway({}, { plugins: [callPlugin(seen)] });
  const first = await host.fetch("/hook", { method: "POST", body: new URLSearchParams({ CallSid: "CA1" }) });
  const worker = await first.text();
  expect(await (await post(host, { a: [{ CallSid: "CA1" }] })).text(), "as JSON").toBe(worker);
  expect(await (await post(host, { CallSid: "CA2" })).text(), "another call").not.toBe(worker);
  expect(await (await host.fetch("/hook?CallSid=CA1")).text(), "in the query").toBe(worker);
  expect(seen).toHaveLength(2);
});

test("a caller who chooses an id like a path or a common value gets no requests of others", async () => {
  const choosing = fakePlugin({
    open: (runner: RunnerContext) => ({
      ...{ start: () => ({ sessionId: "", body: { id: runner.createSession().id } }) },
      routes: [
        {
          method: "POST",
          path: "/offer",
          access: "open",
          handle: (ctx) => {
            ctx.body = runner.createSession({ id: String(ctx.query.session_id) }).id;
          },
        },
      ],
    }),
  });
  await using host = await startGateway({}, { plugins: [choosing] });
  for (const id of ["start", "fake", "sessions", "offer"]) {
    expect(await (await host.fetch(`/offer?session_id=${id}`, { method: "POST" })).text()).toBe(id);
    expect((await host.fetch(`/sessions/${id}`)).status).toBe(200);
  }
  const body = JSON.stringify({ transport: "fake" });
  const started = await host.fetch("/start?x=fake", { method: "POST", body });
  expect(started.status).toBe(200);
});

/** A webhook that creates one session for each call, and responds with the session's id. */
function callPlugin(created: string[]): TransportPlugin {
  return fakePlugin({
    open: (runner: RunnerContext) => ({
      routes: [
        {
          method: ["GET", "POST"],
          path: "/hook",
          access: "open",
          handle(ctx) {
            const [callId = ""] = /CA\d/.exec(ctx.request.rawBody ?? String(ctx.query.CallSid)) ?? [];
            const known = runner.findSession(`unverified:${callId}`);
            const session = known ?? runner.createSession();
            if (!known) {
              session.alias(`unverified:${callId}`);
              created.push(session.id);
            }
            ctx.body = session.id;
          },
        },
      ],
    }),
  });
}

function post(host: Pick<Awaited<ReturnType<typeof startGateway>>, "fetch">, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return host.fetch("/hook", { method: "POST", headers, body: JSON.stringify(body) });
}

test("a vendor's request to a full worker is sent to another one, although the worker responds 200 with a busy tone", async () => {
  const busy = fakePlugin({
    open: (runner: RunnerContext) => ({
      routes: [
        {
          method: "GET",
          path: "/hook",
          access: "open",
          handle(ctx) {
            try {
              ctx.body = runner.createSession().id;
            } catch {
              ctx.body = "busy";
            }
          },
        },
      ],
    }),
  });
  await using host = await startGateway({ maxWorkers: 2 }, { plugins: [busy] });
  const call = async () => {
    const response = await host.fetch("/hook");
    expect(response.headers.has("x-pipecat-rejected")).toBe(false);
    return await response.text();
  };
  // One worker is ready: it gets both, and rejects one.
  const answers = [...(await Promise.all([call(), call()])), await call()];
  expect(await (await host.fetch("/metrics")).text()).toContain("pipecat_resent_requests_total 1");
  expect(answers).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), expect.stringMatching(/^[0-9a-f-]{36}$/), "busy"]);
});

test("callers reach only sessions: headers of gateway and workers are not accepted from them", async () => {
  const seen: unknown[] = [];
  const spy = fakePlugin({
    open: () => ({
      routes: [
        {
          method: "POST",
          path: "/spy",
          access: "open",
          handle(ctx) {
            const { "x-pipecat-client": client, "x-pipecat-rejected": rejected } = ctx.headers;
            seen.push([ctx.req.socket.remoteAddress, client, rejected, ctx.headers.host, ctx.request.rawBody]);
            ctx.body = "seen";
          },
        },
      ],
    }),
  });
  await using host = await startGateway({}, { plugins: [spy] });
  const { port, host: name } = host.gateway.url;
  const headers = { "x-pipecat-client": "1.2.3.4", "x-pipecat-rejected": "1", "content-type": "text/plain" };
  const chunked = sendRequest({ port, host: "127.0.0.1", path: "/spy", method: "POST", headers });
  chunked.write("a");
  chunked.end("b");
  const [response] = await once(chunked, "response");
  expect(await text(response)).toBe("seen");
  expect(seen).toEqual([["127.0.0.1", undefined, undefined, name, "ab"]]);
});

test("a request that announces trailers is answered, and leaves no connection to a worker open", async () => {
  await using host = await startGateway();
  const count = () => process.getActiveResourcesInfo().filter((kind) => kind === "PipeWrap").length;
  const before = count();
  for (let sent = 0; sent < 3; sent++) {
    const { port } = host.gateway.url;
    const request = sendRequest({ port, host: "127.0.0.1", path: "/status", agent: false });
    request.setHeader("Transfer-Encoding", "chunked");
    request.setHeader("Trailer", "X-Sum");
    request.addTrailers({ "X-Sum": "1" });
    request.end();
    const [response] = await once(request, "response");
    await text(response);
    expect(response.statusCode).toBe(200);
  }
  await expect.poll(count).toBe(before);
});

test("HEAD gets the gateway's own answers, without a worker", async () => {
  await using host = await startGateway();
  const { id } = await host.call();
  const session = `/sessions/${id}`;
  await host.fetch(session, { method: "DELETE" });
  for (const path of ["/livez", "/readyz", "/metrics", "/sessions", session]) {
    const [{ status, headers }, read] = [await host.fetch(path, { method: "HEAD" }), await host.fetch(path)];
    expect([path, status, headers.get("content-type")]).toEqual([path, 200, read.headers.get("content-type")]);
  }
});

test("the gateway's own answers and errors have the CORS headers of a runner", async () => {
  const origin = "https://app.example";
  const corsOf = ({ headers }: Response) =>
    ["access-control-allow-origin", "access-control-expose-headers", "vary"].map((name) => headers.get(name));
  const ask = async (allowedOrigins: string[], path: string, from = origin) => {
    await using host = await startGateway({}, { allowedOrigins });
    return corsOf(await host.fetch(path, { headers: { origin: from } }));
  };
  expect(await ask([origin], "/livez")).toEqual([origin, "X-Session-Id", "Origin"]);
  expect(await ask([origin], "/status"), "a worker's answer").toEqual([origin, "X-Session-Id", "Origin"]);
  expect(await ask([origin], "/livez", "https://other.example")).toEqual([null, null, "Origin"]);
  await using host = await startGateway({}, { allowedOrigins: [origin], apiKey: "a-key-of-16-chars" });
  const refused = await host.fetch("/metrics", { headers: { origin } });
  expect([refused.status, ...corsOf(refused)]).toEqual([401, origin, "X-Session-Id", "Origin"]);
});

test("large bodies and uploads reach a worker as they arrive, and its rejection reaches the caller", async () => {
  await using host = await startGateway();
  const large = await host.fetch("/start", { method: "POST", body: "x".repeat(3 * 1024 * 1024) });
  expect([large.status, await large.json()]).toMatchObject([413, { code: "BODY_TOO_LARGE" }]);
  const body = new FormData();
  body.set("file", new Blob(["x".repeat(100_000)]), "x.txt");
  const upload = await host.fetch("/files", { method: "POST", body });
  expect([upload.status, await upload.json()]).toMatchObject([503, { code: "UPLOADS_DISABLED" }]);
});

test("a caller who leaves during a request ends it in the worker too", async () => {
  const events: string[] = [];
  const slow = fakePlugin({
    open: () => ({
      routes: [
        {
          method: "GET",
          path: "/slow",
          access: "open",
          async handle(ctx) {
            events.push("arrived");
            await once(ctx.req.socket, "close");
            events.push("left");
          },
        },
      ],
    }),
  });
  await using host = await startGateway({}, { plugins: [slow] });
  const controller = new AbortController();
  const response = host.fetch("/slow", { signal: controller.signal });
  await expect.poll(() => events).toEqual(["arrived"]);
  controller.abort();
  await expect(response).rejects.toThrow();
  await expect.poll(() => events).toEqual(["arrived", "left"]);
});

test("a request whose worker ends before it responds gets 502, and is not sent again", async () => {
  let requests = 0;
  const dying = fakePlugin({
    open: () => ({
      routes: [
        {
          method: "POST",
          path: "/die",
          access: "open",
          handle(ctx) {
            requests += 1;
            ctx.req.socket.destroy();
            ctx.respond = false;
          },
        },
      ],
    }),
  });
  await using host = await startGateway({}, { plugins: [dying] });
  const response = await host.fetch("/die", { method: "POST" });
  expect([response.status, await response.json(), requests]).toMatchObject([502, { code: "WORKER_CRASHED" }, 1]);
});

test("the first message arrives, also in the packet of the upgrade request", async () => {
  const heard: string[] = [];
  const bot: Bot = async (args) => {
    (args as unknown as FakeArguments).socket.on("message", (data) => heard.push(String(data)));
    await listeningBot(args);
  };
  await using host = await startGateway({}, { bot });
  const id = await host.start();
  const tcp = connectTcp(Number(host.gateway.url.port), "127.0.0.1");
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const upgrade = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
  ];
  // A masked text message "{}" with the mask 0.
  const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]);
  const head = [`GET /fake/${id} HTTP/1.1`, `Host: 127.0.0.1:${host.gateway.url.port}`, ...upgrade, "", ""].join(
    "\r\n",
  );
  tcp.write(Buffer.concat([Buffer.from(head), frame]));
  await expect.poll(() => heard).toEqual(["{}"]);
  tcp.destroy();
  await expect.poll(() => host.gateway.sessions.counts.active).toBe(0);
});

test("an upgrade that no worker can take is rejected as JSON, and its place is free again", async () => {
  await using host = await startGateway({ maxWorkers: 1 });
  const { socket } = await host.call();
  const tcp = connectTcp(Number(host.gateway.url.port), "127.0.0.1");
  const address = host.gateway.url.host;
  const lines = [`GET /fake HTTP/1.1`, `Host: ${address}`, "Upgrade: websocket", "Connection: Upgrade", "", ""];
  tcp.write(lines.join("\r\n"));
  expect(await text(tcp)).toMatch(/^HTTP\/1\.1 429 .*"code":"AT_CAPACITY"/s);
  socket.close();
  await expect.poll(() => host.gateway.sessions.counts.active).toBe(0);
  const malformed = connectTcp(Number(host.gateway.url.port), "127.0.0.1");
  malformed.write(lines.join("\r\n"));
  expect(await text(malformed), "the worker rejects the handshake").toMatch(/^HTTP\/1\.1 400 /);
  await host.call();
});

test("a reload puts new sessions into new workers, and old ones end with their last call", async () => {
  await using host = await startGateway();
  const { id, socket } = await host.call();
  await host.gateway.reload();
  expect(await (await host.fetch(`/sessions/${id}`)).json()).toMatchObject({ state: "active" });
  const later = await host.start();
  expect(ownerOf(host, later)).toBeGreaterThan(2);
  const old = ownerOf(host, id) ?? 0;
  const before = host.exits();
  socket.close();
  await expect.poll(() => host.workers.running.has(old)).toBe(false);
  await expect.poll(() => host.exits() - before).toBe(1);
  expect(reasons(host.log)).toEqual(["caller-left"]);
});

test("POST /reload needs the key, and a broken bot leaves the old one in place", async () => {
  let isBroken = false;
  const breaking = fakePlugin({
    check() {
      if (isBroken) throw new RunnerError("OPTION_INVALID", "broken");
      return { state: "ready" };
    },
  });
  const apiKey = "0123456789abcdef";
  await using host = await startGateway({}, { plugins: [breaking], apiKey });
  const reload = (headers: Record<string, string> = {}) => host.fetch("/reload", { method: "POST", headers });
  const authorized = { authorization: `Bearer ${apiKey}` };
  for (const path of ["/metrics", "/sessions"]) expect((await host.fetch(path)).status).toBe(401);
  expect((await reload()).status).toBe(401);
  expect((await reload(authorized)).status).toBe(200);
  isBroken = true;
  expect((await reload(authorized)).status).toBe(400);
  expect(host.log.lines.map(({ message }) => message)).toContain(
    "bot not reloaded; running workers keep the previous code",
  );
  expect((await host.fetch("/start", { method: "POST", headers: authorized })).status).toBe(200);
});

test("while draining, new callers get 503, and live calls continue until they end", async () => {
  await using host = await startGateway();
  const { socket, id } = await host.call();
  const pending = await host.start();
  const drained = host.gateway.drain();
  await expect.poll(async () => (await host.fetch("/readyz")).status).toBe(503);
  expect((await host.fetch("/livez")).status).toBe(200);
  await expect(host.start()).rejects.toThrow("503 DRAINING");
  await expect.poll(() => reasons(host.log)).toEqual(["shutdown"]);
  expect(await (await host.fetch(`/sessions/${pending}`)).json()).toMatchObject({ reason: "shutdown" });
  expect(await (await host.fetch(`/sessions/${id}`)).json()).toMatchObject({ state: "active" });
  socket.close();
  await drained;
  expect(reasons(host.log)).toEqual(["shutdown", "caller-left"]);
  await expect(host.fetch("/livez")).rejects.toThrow();
});

test("a bot that cannot be opened rejects listen() with its error, and nothing stays open", async () => {
  const broken = fakePlugin({
    open() {
      throw new RunnerError("OPTION_INVALID", "no", { fix: "Yes." });
    },
  });
  const failing = startGateway({}, { plugins: [broken] });
  await expect(failing).rejects.toMatchObject({ code: "OPTION_INVALID", message: "no", fix: "Yes." });
});

test("a transport with a server of its own is rejected, unless there is one worker", async () => {
  const listening = fakePlugin({ opened: { advanced: { listeners: ["tcp://localhost:7000"] } } });
  await expect(startGateway({}, { plugins: [listening] })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await using host = await startGateway({ maxWorkers: 1, workerSessions: 40 }, { plugins: [listening] });
  await host.start();
});

test("on a public address without a key, the banner lists /reload too", async () => {
  const publicUrl = "https://bots.example.com";
  await using open = await startGateway({}, { publicUrl });
  expect(open.gateway.report.unauthenticatedRoutes).toEqual(expect.arrayContaining(["/sessions", "POST /reload"]));
  await using closed = await startGateway({}, { publicUrl, apiKey: "0123456789abcdef" });
  expect(closed.gateway.report.unauthenticatedRoutes).not.toContain("POST /reload");
});

/** A gateway with one worker in this process that does not listen yet. `start` may change how workers start. */
function createUnopened(start: (workers: StartWorker) => StartWorker, fleet?: Fleet) {
  const common = { host: "127.0.0.1", port: 0, env: {}, logger: createRecordingLogger() };
  const workers = createInMemoryWorkers(() => ({ bot: listeningBot, plugins: [fakePlugin()], ...common }));
  const isolation = { ...{ workerSessions: 1, warmWorkers: 1, maxWorkers: 1 }, workerMemory: undefined };
  const options = { runner: common, isolation: { ...isolation, workerCalls: undefined }, fleet };
  return { workers, gateway: createGateway({ ...options, workers: start(workers.start) }) };
}

test.each(["opens", "starts", "joins"])("close() while a gateway %s leaves nothing open", async (when) => {
  const events: string[] = [];
  const begun = Promise.withResolvers<void>();
  const begin = (event: string) => when === event && begun.resolve();
  begin("opens");
  const fleet = {
    async join() {
      begin("joins");
      await setTimeout(500);
      events.push("joined");
    },
    leave: async () => void events.push("left"),
  } as unknown as Fleet;
  const { gateway, workers } = createUnopened(
    (start) =>
      (...options) => {
        begin("starts");
        return start(...options);
      },
    fleet,
  );
  const listening = gateway.listen();
  const settled = when === "joins" ? listening : expect(listening).rejects.toMatchObject({ code: "DRAINING" });
  await begun.promise;
  await gateway.close();
  await settled;
  expect(workers.running.size).toBe(0);
  expect(events).toEqual(when === "joins" ? ["joined", "left"] : ["left"]);
  await expect(fetch(gateway.url)).rejects.toThrow();
});

test("a caller who leaves while a node is asked to take the upgrade is not offered to the next node", async () => {
  const asked = new Set<string>();
  const candidates = ["one", "two"].map((id) => ({
    id,
    async connect() {
      // It never answers.
      return new Duplex({
        read: () => undefined,
        write(_, __, done) {
          asked.add(id);
          done();
        },
      });
    },
  }));
  const fleet = {
    ...{ join: async () => undefined, leave: async () => undefined, find: async () => undefined },
    ...{ get: () => undefined, candidates: () => candidates },
  } as unknown as Fleet;
  const { gateway } = createUnopened((start) => start, fleet);
  await gateway.listen();
  await fetch(new URL("/start", gateway.url), { method: "POST" });
  const tcp = connectTcp(Number(gateway.url.port), "127.0.0.1");
  const lines = ["GET /fake HTTP/1.1", `Host: ${gateway.url.host}`, "Upgrade: websocket", "Connection: Upgrade"];
  tcp.write(`${lines.join("\r\n")}\r\n\r\n`);
  await expect.poll(() => asked).toEqual(new Set(["one"]));
  tcp.resetAndDestroy();
  await setTimeout(100);
  expect(asked).toEqual(new Set(["one"]));
  await gateway.close();
});

test("a drain after a close does not give workers the time of a drain", async () => {
  const told: string[] = [];
  // A worker that does not stop.
  const { gateway } = createUnopened((start) => (...options) => ({
    ...start(...options),
    stop: (how) => told.push(how),
  }));
  await gateway.listen();
  const stopped = [gateway.close(), gateway.drain()];
  await setTimeout(100);
  expect(told).toEqual(["close"]);
  gateway.kill();
  await Promise.all(stopped);
});

test("a port in use rejects listen() before a worker starts", async () => {
  await using host = await startGateway();
  await expect(startGateway({}, { port: Number(host.gateway.url.port) })).rejects.toMatchObject({
    code: "PORT_IN_USE",
  });
});
