import { once } from "node:events";
import type { RouteContext } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { fakePlugin } from "./test/fake-plugin.ts";
import { openSocket, startRunner } from "./test/fixture.ts";

const withOffer = fakePlugin({
  opened: {
    routes: [
      {
        method: ["POST", "PATCH"],
        path: "/sessions/:sessionId/api/offer",
        access: "caller",
        schema: Type.Object({
          sdp: Type.String(),
          candidates: Type.Optional(Type.Array(Type.Object({ id: Type.Integer() }))),
        }),
        handle: (ctx: RouteContext) => {
          ctx.body = { offered: ctx.params.sessionId, raw: String(ctx.request.rawBody) };
        },
      },
    ],
  },
});

test("the transport answers its own paths of a live session", async () => {
  await using host = await startRunner({ plugins: [withOffer] });
  const { id } = (await host.post("/start")).body;
  const { status, body } = await host.post(`/sessions/${id}/api/offer`, { sdp: "v=0" });
  expect([status, body]).toEqual([200, { offered: id, raw: '{"sdp":"v=0"}' }]);
});

test.each([
  [{}, "The body must have required properties sdp."],
  [{ sdp: 7 }, '"sdp" in the body must be string.'],
  [{ sdp: "", candidates: [{ id: 1 }, { id: "x" }] }, '"candidates.1.id" in the body must be integer.'],
  [[], "The body must be object."],
  [null, "The body must be object."],
  [undefined, "The body must be object."],
])("a body that is not what the route takes is refused by its field: %j", async (sent, detail) => {
  await using host = await startRunner({ plugins: [withOffer] });
  const { id } = (await host.post("/start")).body;
  const { status, body } = await host.post(`/sessions/${id}/api/offer`, sent);
  expect([status, body]).toEqual([400, { code: "BODY_INVALID", detail }]);
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE"])(
  "the bot answers what its transport does not: %s",
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
          if (ctx.params.path === "") ctx.body = { sessionId: "the bot's own" };
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
      const itself = await host.fetch(`/sessions/${id}`, { method });
      // What the session is, the runner says itself.
      expect(await itself.json()).toMatchObject({ sessionId: method === "GET" ? id : "the bot's own" });
    }
    const unanswered = await host.fetch(`/sessions/${id}/other`, { method });
    expect([unanswered.status, await unanswered.json()]).toEqual([404, expect.objectContaining({ code: "NOT_FOUND" })]);
  },
);

test("a handler of the bot that throws is an error of that request only", async () => {
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

test.each(["GET", "POST", "PUT", "PATCH", "DELETE"])(
  "an unknown session is 404 JSON, whatever the path: %s",
  async (method) => {
    await using host = await startRunner({ plugins: [withOffer] });
    for (const path of [
      "/sessions/nobody",
      "/sessions/nobody/api/offer",
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

test("an ended session is 404 JSON", async () => {
  await using host = await startRunner({ plugins: [withOffer] });
  const { id } = (await host.post("/start")).body;
  await host.runner.sessions.find(String(id))?.end("ended-by-request");
  const { status, body } = await host.post(`/sessions/${id}/api/offer`, { sdp: "v=0" });
  expect([status, body.code]).toEqual([404, "SESSION_UNKNOWN"]);
});

test("who was promised a place before the runner drains is told to try again, by HTTP and WebSocket", async () => {
  for (const webSocketAuth of ["none", "token"] as const) {
    await using host = await startRunner({ plugins: [withOffer], webSocketAuth });
    const talking = (await host.post("/start")).body;
    const socket = new WebSocket(new URL(`/fake/${talking.credential}`, host.runner.url));
    await once(socket, "open");
    const { id, segment } = (await host.post("/start")).body;
    void host.runner.drain();
    const offered = await host.post(`/sessions/${id}/api/offer`, { sdp: "v=0" });
    expect([offered.status, offered.headers.get("retry-after"), offered.body.code]).toEqual([503, "5", "DRAINING"]);
    expect(await openSocket(host, `/fake/${segment}`)).toBe("503 DRAINING");
    expect((await host.post(`/sessions/${talking.id}/api/offer`, { sdp: "v=0" })).status).toBe(200);
    await host.runner.close();
  }
});
