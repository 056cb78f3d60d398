import { once } from "node:events";
import { expect, test } from "vitest";
import { startRunner } from "./test/fixture.ts";

test("GET /sessions lists the pending and the active, and nothing that is private", async () => {
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
  expect(text).not.toMatch(/secret|555/);
  const one = await (await host.fetch(`/sessions/${id}`)).json();
  expect(one).toMatchObject({ sessionId: id, state: "active" });
});

test("DELETE ends a session, and answers when it has ended", async () => {
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
    expect((await host.fetch(`/sessions/${sessionId}`)).status).toBe(404);
  }
  expect(ended).toEqual([id]);
  expect(await (await host.fetch("/sessions")).json()).toEqual({ sessions: [] });
  expect(host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("an id that is no live session's is 404, and no alias is an id", async () => {
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

test("with a key, sessions are told to and ended by its holders only", async () => {
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
