import { once } from "node:events";
import type { Bot, HttpRoute, MediaPort, RunnerContext, Session } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createSettings, resolveRunnerFlags, runnerOptionsFrom } from "./options.ts";
import type { RunnerOptions } from "./runner.ts";
import { type FakeArguments, fakePlugin, neverConnected } from "./test/fake-plugin.ts";
import { startRunner } from "./test/fixture.ts";
import { simulatePipecatCloud } from "./test/pipecat-cloud.ts";

/** A bot that answers requests, and stays until its caller leaves or it must stop. Records its arguments. */
function createBot() {
  const calls: FakeArguments[] = [];
  const bot: Bot = async (args) => {
    const { socket, signal, session } = args as unknown as FakeArguments;
    calls.push(args as unknown as FakeArguments);
    session.onRequest((ctx) => {
      if (ctx.params.path === "mood") ctx.body = { mood: "good", method: ctx.method, query: ctx.query.why };
    });
    const left = socket?.readyState === 1 ? once(socket, "close") : undefined;
    if (!signal.aborted) await Promise.race([once(signal, "abort"), left].filter(Boolean));
  };
  return { bot, calls };
}

/** An image that runs, and the platform before it. */
async function openImage(options: Partial<RunnerOptions> = {}) {
  const { bot, calls } = createBot();
  const host = await startRunner({ bot, cloud: true, maxSessions: 1, ...options });
  const platform = simulatePipecatCloud(host.runner.url);
  const connect = (id: string) => platform.openSocket(`/fake/${id}`, id);
  return { host, platform, connect, calls, [Symbol.asyncDispose]: () => host.runner.close() };
}

test("POST /bot starts a session with the platform's id and body, and is answered when it has ended", async () => {
  await using image = await openImage();
  const session = image.platform.start({ transport: "fake", body: { wish: "tea" } });
  let isAnswered = false;
  void session.ended.then(() => {
    isAnswered = true;
  });
  await expect.poll(() => image.host.runner.sessions.counts).toEqual({ pending: 1, active: 0 });
  const { socket } = await image.connect(session.id);
  await expect.poll(() => image.calls).toMatchObject([{ sessionId: session.id, body: { wish: "tea" } }]);
  expect(await (await session.fetch("mood")).json()).toMatchObject({ mood: "good" });
  expect(isAnswered).toBe(false);
  socket.close();
  expect(await session.ended).toEqual({ status: 200, body: {} });
});

test("pages of other origins cannot start the bot, unlike the platform", async () => {
  await using image = await openImage();
  const headers = { origin: "https://evil.example" };
  const response = await image.host.fetch("/bot", { method: "POST", headers, body: "{}" });
  expect(await response.json()).toMatchObject({ code: "ORIGIN_REFUSED" });
});

test("the id of a rejected session is not used for another one", async () => {
  await using image = await openImage();
  const rejected = image.platform.start({ transport: "unknown" });
  expect(await rejected.ended).toMatchObject({ status: 400 });
  await (await image.host.call()).socket.close();
  await expect.poll(() => image.calls).toHaveLength(1);
  expect(image.calls[0]?.sessionId).not.toBe(rejected.id);
});

test("there is one session at a time, also while the first waits for its caller", async () => {
  await using image = await openImage();
  const first = image.platform.start();
  await expect.poll(() => image.host.runner.sessions.counts.pending).toBe(1);
  expect(await image.platform.start().ended).toMatchObject({ status: 429, body: { code: "AT_CAPACITY" } });
  const { socket } = await image.connect(first.id);
  await expect.poll(() => image.calls).toHaveLength(1);
  expect(await image.platform.start().ended).toMatchObject({ status: 429 });
  for (const path of ["/readyz", "/livez"]) expect((await image.host.fetch(path)).status).toBe(200);
  socket.close();
  await first.ended;
  const second = image.platform.start();
  await image.connect(second.id);
  await expect.poll(() => image.calls.map(({ sessionId }) => sessionId)).toEqual([first.id, second.id]);
});

test("a room of the platform goes to the transport that joins rooms", async () => {
  const rooms: unknown[] = [];
  const room = { url: "https://you.daily.co/room", token: "secret" };
  const open = (runner: RunnerContext) => ({
    advanced: {
      joinRoom(given: { readonly body: unknown }): Session {
        rooms.push(given);
        const session = runner.createSession({ body: given.body, reserve: true });
        session.run({}, (): MediaPort => neverConnected());
        return session;
      },
    },
  });
  await using image = await openImage({ plugins: [fakePlugin(), fakePlugin({ name: "rooms", open })] });
  const session = image.platform.start({ room, body: { wish: "tea" } });
  await expect.poll(() => image.calls).toMatchObject([{ sessionId: session.id, transport: "rooms" }]);
  expect(rooms).toEqual([{ ...room, body: { wish: "tea" } }]);
  await image.host.runner.sessions.find(session.id)?.end("ended-by-request");
  expect(await session.ended).toEqual({ status: 200, body: {} });

  await using without = await openImage();
  expect(await without.platform.start({ room }).ended).toMatchObject({
    status: 400,
    body: { code: "TRANSPORT_UNAVAILABLE" },
  });
});

test("requests that name a session reach this session and nothing else", async () => {
  const offers: HttpRoute = {
    method: ["POST", "PATCH"],
    path: "/sessions/:sessionId/api/offer",
    access: "caller",
    handle(ctx) {
      ctx.body = { offeredTo: ctx.params.sessionId };
    },
  };
  await using image = await openImage({ plugins: [fakePlugin({ opened: { routes: [offers] } })] });
  const session = image.platform.start();
  await expect.poll(() => image.host.runner.sessions.counts.pending).toBe(1);
  for (const method of ["POST", "PATCH"]) {
    const reply = await session.fetch("api/offer", { method, body: "{}" });
    expect(await reply.json()).toEqual({ offeredTo: session.id });
  }
  const { socket } = await image.connect(session.id);
  await expect.poll(() => image.calls).toHaveLength(1);
  const reply = await session.fetch("mood?why=because", { method: "PUT", body: "{}" });
  expect(await reply.json()).toEqual({ mood: "good", method: "PUT", query: "because" });
  for (const path of ["sessions", "metrics", "start", "sessions/x/mood"]) {
    expect((await session.fetch(path)).status).toBe(404);
  }
  socket.close();
  await session.ended;
  expect(await (await session.fetch("mood")).json()).toMatchObject({ code: "SESSION_UNKNOWN" });
});

test("a WebSocket without /bot begins a session with the platform's id", async () => {
  await using image = await openImage();
  const { id, socket } = await image.platform.openSocket("/fake");
  await expect.poll(() => image.calls.map(({ sessionId }) => sessionId)).toEqual([id]);
  socket.close();
  await expect.poll(() => image.host.runner.sessions.counts.active).toBe(0);
  // Its id is not used again.
  await (await image.host.call()).socket.close();
  await expect.poll(() => image.calls).toHaveLength(2);
  expect(image.calls[1]?.sessionId).not.toBe(id);
});

test("a bot that fails ends its session, and the platform gets the usual response", async () => {
  const bot = () => Promise.reject(new Error("no tea"));
  await using image = await openImage({ bot });
  const session = image.platform.start();
  await expect.poll(() => image.host.runner.sessions.counts.pending).toBe(1);
  await image.connect(session.id);
  expect(await session.ended).toEqual({ status: 200, body: {} });
  expect(image.host.log.lines.map(({ message }) => message)).toContain("bot failed");
});

test("when no caller connects, the platform gets 504", async () => {
  await using image = await openImage();
  const session = image.platform.start();
  await expect.poll(() => image.host.runner.sessions.counts.pending).toBe(1);
  await image.host.runner.sessions.find(session.id)?.end("abandoned");
  expect(await session.ended).toMatchObject({ status: 504, body: { code: "CALLER_MISSING" } });
});

test("a live session continues while the image drains, and its response arrives", async () => {
  await using image = await openImage();
  const session = image.platform.start();
  await expect.poll(() => image.host.runner.sessions.counts.pending).toBe(1);
  const { socket } = await image.connect(session.id);
  await expect.poll(() => image.calls).toHaveLength(1);
  const drained = image.host.runner.drain();
  expect((await image.host.fetch("/readyz")).status).toBe(503);
  expect((await image.host.fetch("/livez")).status).toBe(200);
  expect((await session.fetch("mood")).status).toBe(200);
  socket.close();
  expect(await session.ended).toEqual({ status: 200, body: {} });
  await drained;
});

test.each([
  ["a list as the body", { body: [] }, 400, "BODY_INVALID"],
  ["an id with other characters", { id: "a b" }, 400, "REQUEST_INVALID"],
  ["a Pipecat Flows config", { headers: { "x-pcc-start-envelope": "1" } }, 400, "REQUEST_INVALID"],
  ["a transport that is not installed", { transport: "other" }, 400, "TRANSPORT_UNKNOWN"],
])("%s is rejected, and no session begins", async (_, start, status, code) => {
  await using image = await openImage();
  expect(await image.platform.start(start).ended).toMatchObject({ status, body: { code } });
  expect(image.host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("without --cloud, the platform's requests are unknown, and its headers mean nothing", async () => {
  await using image = await openImage({ cloud: false });
  expect(await image.platform.start().ended).toMatchObject({ status: 404 });
  const { id } = await image.platform.openSocket("/fake");
  await expect.poll(() => image.calls).toHaveLength(1);
  expect(image.calls[0]?.sessionId).not.toBe(id);
});

test("--cloud changes defaults, and reads PORT and SHUTDOWN_TIMEOUT", () => {
  const resolve = (given: object, env: Record<string, string> = {}) =>
    createSettings(runnerOptionsFrom(resolveRunnerFlags({ given: { cloud: true, ...given }, env }))).settings;
  const defaults = { host: "0.0.0.0", port: 8080, maxSessions: 1, shutdownTimeoutMs: 7_200_000, trustProxy: true };
  expect(resolve({})).toMatchObject(defaults);
  expect(resolve({}, { PORT: "9000", SHUTDOWN_TIMEOUT: "60" })).toMatchObject({
    port: 9000,
    shutdownTimeoutMs: 60_000,
  });
  expect(resolve({ port: "7000" }, { PORT: "9000" })).toMatchObject({ port: 7000 });
  for (const given of [{ maxSessions: "2" }, { apiKey: "a-key-of-16-chars" }, { webSocketAuth: "token" }]) {
    expect(() => resolve(given)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  }
});
