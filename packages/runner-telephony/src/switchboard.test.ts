import { once } from "node:events";
import type { Runner } from "@pipecat-ts/runner-host";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { signAcme } from "./test/acme.ts";
import { createAcmePhone } from "./test/acme-phone.ts";
import { createStage, type Stage } from "./test/stage.ts";

let stage: Stage;
const sockets: WebSocket[] = [];
beforeEach(async () => {
  stage = await createStage();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await stage.close();
});

/** Opens a socket, or tells with which status it was refused. */
function dial(
  runner: Runner,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<WebSocket | number> {
  const socket = new WebSocket(`ws://${runner.url.host}${path}`, { headers });
  sockets.push(socket);
  socket.on("error", () => undefined);
  return new Promise((resolve) => {
    socket.once("open", () => resolve(socket));
    socket.once("unexpected-response", (request, { statusCode = 0 }) => {
      request.destroy();
      resolve(statusCode);
    });
  });
}

async function opened(runner: Runner, path: string, headers = {}): Promise<WebSocket> {
  const socket = await dial(runner, path, headers);
  if (typeof socket === "number") throw new Error(`refused with ${socket}`);
  return socket;
}

async function start(runner: Runner, transport = "acme", body?: unknown): Promise<string> {
  const answer = await fetch(new URL("/start", runner.url), {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ transport, body }),
  });
  return new URL(((await answer.json()) as { wsUrl: string }).wsUrl).pathname;
}

const announce = (call: string, carrier = "acme", more = {}) =>
  JSON.stringify({ event: "start", stream: "S1", [carrier]: { call }, ...more });

describe("two carriers on one path", () => {
  test("are told apart by their first messages", async () => {
    const runner = await stage.open();
    (await opened(runner, "/ws")).send(announce("A1"));
    (await opened(runner, "/ws")).send(announce("B1", "bell"));
    await expect.poll(() => stage.calls.length).toBe(2);
    expect(stage.calls.map(({ args }) => args.transport).sort()).toEqual(["acme", "bell"]);
  });

  test("do not take each other's sessions", async () => {
    const runner = await stage.open();
    const socket = await opened(runner, await start(runner, "bell"));
    socket.send(announce("A1"));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "SESSION_UNKNOWN"]);
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 0 });
  });

  test("of which one is served alone: the other's calls are unknown", async () => {
    const runner = await stage.open({ transport: "bell" });
    const socket = await opened(runner, "/ws");
    for (let n = 0; n < 5; n++) socket.send(announce("A1"));
    expect((await once(socket, "close"))[0]).toBe(1008);
  });

  test("of which one throws on what it reads: nobody is harmed", async () => {
    const runner = await stage.open();
    const socket = await opened(runner, "/ws");
    socket.send(JSON.stringify({ explode: "start" }));
    socket.send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
    expect(stage.logger.lines.filter(({ level }) => level === "error")).toHaveLength(2);
  });
});

test.each([".", "..", "\ud800"])("a call whose id is %j is nobody's, and no API is asked about it", async (id) => {
  const runner = await stage.open();
  const socket = await opened(runner, "/ws");
  socket.send(announce(id));
  socket.send(announce("A1"));
  await expect.poll(() => stage.calls.length).toBe(1);
  expect(stage.calls[0]?.args.callData?.callId).toBe("A1");
  socket.terminate();
  await expect.poll(() => runner.sessions.counts.active).toBe(0);
  expect(stage.api.requests).toMatchObject([{ method: "DELETE", path: "/calls/A1" }]);
});

describe("what the bot gets as body", () => {
  const inUrl = `?body=${Buffer.from('{"in":"url"}').toString("base64url")}`;

  test.each([
    ["nothing", {}, undefined],
    ["the runner's own", { body: { in: "runner" } }, { in: "runner" }],
  ])(
    "is the start request's, else the URL's, else the carrier's parameters, else %s",
    async (_, settings, otherwise) => {
      const runner = await stage.open(settings);
      const custom = { custom: { in: "parameters" } };
      const cases: readonly [path: string, more: object, body: unknown][] = [
        [`${await start(runner, "acme", { in: "start" })}${inUrl}`, custom, { in: "start" }],
        [`/ws${inUrl}`, custom, { in: "url" }],
        ["/ws?body=junk", custom, { in: "parameters" }],
        ["/ws", {}, otherwise],
        [await start(runner), custom, { in: "parameters" }],
        [await start(runner), {}, otherwise],
      ];
      for (const [index, [path, more, body]] of cases.entries()) {
        (await opened(runner, path)).send(announce(`A${index}`, "acme", more));
        await expect.poll(() => stage.calls.length).toBe(index + 1);
        expect(stage.calls[index]?.args.body).toEqual(body);
      }
    },
  );
});

test("the numbers in a URL reach the bot where the carrier tells none", async () => {
  const runner = await stage.open();
  (await opened(runner, "/ws?from_number=%2B15550100&to_number=%2B15550199")).send(announce("A1"));
  await expect.poll(() => stage.calls.length).toBe(1);
  expect(stage.calls[0]?.args.callData).toMatchObject({ from: "+15550100", to: "+15550199" });
});

describe("a session's URL", () => {
  test("is refused before the upgrade when nobody waits there", async () => {
    const runner = await stage.open();
    expect(await dial(runner, "/ws/unknown")).toBe(404);
    const path = await start(runner);
    (await opened(runner, path)).send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
    expect(await dial(runner, path)).toBe(409);
  });

  test("takes one of two callers who come at once", async () => {
    const runner = await stage.open();
    const path = await start(runner);
    const [first, second] = [await opened(runner, path), await opened(runner, path)];
    first.send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
    second.send(announce("A2"));
    const [code, reason] = await once(second, "close");
    expect([code, String(reason)]).toEqual([1008, "SESSION_NOT_PENDING"]);
  });

  test.each(["none", "token"] as const)(
    "can be dialled again when the first connection broke before the call was announced: --ws-auth %s",
    async (webSocketAuth) => {
      const runner = await stage.open({ webSocketAuth });
      const path = await start(runner);
      (await opened(runner, path)).terminate();
      const again = await vi.waitFor(() => opened(runner, path));
      again.send(announce("A1"));
      await expect.poll(() => stage.calls.length).toBe(1);
    },
  );

  test("has a token where sockets are opened by token alone, which opens /ws also as bearer and ?token=, once", async () => {
    const runner = await stage.open({ webSocketAuth: "token" });
    const ways: ((token: string) => [path: string, headers?: Record<string, string>])[] = [
      (token) => [`/ws/${token}`],
      (token) => ["/ws", { authorization: `Bearer ${token}` }],
      (token) => [`/ws?token=${token}`],
    ];
    for (const [index, way] of ways.entries()) {
      const token = (await start(runner, "acme", { way: index })).slice("/ws/".length);
      const [path, headers] = way(token);
      (await opened(runner, path, headers)).send(announce(`A${index}`));
      await expect.poll(() => stage.calls[index]?.args.body).toEqual({ way: index });
      expect(await dial(runner, path, headers)).toBe(403);
    }
    expect(await dial(runner, "/ws")).toBe(401);
  });

  test("of a runner that is full is refused with 429, and of one that drains with 503", async () => {
    const runner = await stage.open({ maxSessions: 1 });
    const [talking, waiting] = [await start(runner), await start(runner)];
    (await opened(runner, talking)).send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
    expect(await dial(runner, waiting)).toBe(429);
    void runner.drain();
    expect(await dial(runner, waiting)).toBe(503);
  });
});

test("a call on the bare path finds the session that its webhook made", async () => {
  const runner = await stage.open();
  const body = new URLSearchParams({ call: "A1", from: "+15550100" });
  await fetch(new URL("/acme", runner.url), { method: "POST", body, headers: { connection: "close" } });
  (await opened(runner, "/ws")).send(announce("A1"));
  await expect.poll(() => stage.calls.length).toBe(1);
  expect(stage.calls[0]?.args.callData).toMatchObject({ callId: "A1", from: "+15550100" });
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("a call in a format that is not spoken is refused once, said with the remedy, and leaves no session", async () => {
  const runner = await stage.open();
  for (const path of ["/ws", await start(runner)]) {
    const socket = await opened(runner, path);
    socket.send(announce("A1", "acme", { format: "opus" }));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "MEDIA_FORMAT_UNSUPPORTED"]);
  }
  await expect.poll(() => runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  const told = stage.logger.lines.filter(({ message }) => message.includes("another format"));
  expect(told).toMatchObject([{ level: "warn", message: expect.stringContaining("Name none.") }, { level: "warn" }]);
});

test("a caller too many is closed with 1013", async () => {
  const runner = await stage.open({ maxSessions: 1 });
  (await opened(runner, "/ws")).send(announce("A1"));
  await expect.poll(() => stage.calls.length).toBe(1);
  const socket = await opened(runner, "/ws");
  socket.send(announce("A2"));
  const [code, reason] = await once(socket, "close");
  expect([code, String(reason)]).toEqual([1013, "AT_CAPACITY"]);
  const figures = await (await fetch(new URL("/metrics", runner.url), { headers: { connection: "close" } })).text();
  expect(figures).toContain('pipecat_refusals_total{code="AT_CAPACITY"} 1');
});

describe("signed upgrades", () => {
  const publicUrl = new URL("https://bots.example.com");
  const signed = (path: string, key = "a key") => ({ "x-acme": signAcme(`https://bots.example.com${path}`, "", key) });

  test("are let in, forged ones are not", async () => {
    const runner = await stage.open({ publicUrl });
    expect(await dial(runner, "/ws", signed("/ws", "another key"))).toBe(403);
    expect(await dial(runner, "/ws", signed("/ws/"))).toBe(403);
    (await opened(runner, "/ws", signed("/ws"))).send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
  });

  test("need no token on the bare path, where unsigned ones do", async () => {
    const runner = await stage.open({ publicUrl, webSocketAuth: "token" });
    expect(await dial(runner, "/ws")).toBe(401);
    expect(await dial(runner, "/ws", signed("/ws", "another key"))).toBe(401);
    (await opened(runner, "/ws", signed("/ws"))).send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
  });

  test("unsigned ones are refused where every carrier signs, else when the carrier is known", async () => {
    const alone = await stage.open({ publicUrl, transport: "acme" });
    expect(await dial(alone, "/ws")).toBe(403);
    const shared = await stage.open({ publicUrl });
    const socket = await opened(shared, "/ws");
    socket.send(announce("A1"));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "SIGNATURE_INVALID"]);
    (await opened(shared, "/ws")).send(announce("B1", "bell"));
    await expect.poll(() => stage.calls.length).toBe(1);
    expect(stage.calls[0]?.args.transport).toBe("bell");
  });

  test("are not asked of a page that acts as a phone, with a URL from /start", async () => {
    const runner = await stage.open({ publicUrl });
    (await opened(runner, await start(runner))).send(announce("A1"));
    await expect.poll(() => stage.calls.length).toBe(1);
  });

  test("a whole call, webhook and socket signed, through the public URL", async () => {
    const runner = await stage.open({ publicUrl });
    const phone = await stage.phone.call({ at: runner.url, publicUrl });
    await expect.poll(() => stage.calls.length).toBe(1);
    await phone.hangUp();
    const stranger = createAcmePhone("acme", "another key");
    await expect(stranger.call({ at: runner.url, publicUrl })).rejects.toThrow("403");
  });
});
