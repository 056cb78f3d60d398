import { once } from "node:events";
import type { RunnerContext, RunnerError } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createRecordingLogger } from "../../runner-testing/src/index.ts";
import { awaitStart, type RoutedCarrier } from "./call-router.ts";
import type { JsonObject } from "./json.ts";
import { createTelephonyPlugin } from "./plugin.ts";
import { createAcme, createAcmePhone, signAcme } from "./test/acme.ts";
import { createFixture, type Fixture } from "./test/fixture.ts";

let fixture: Fixture;
const sockets: WebSocket[] = [];
beforeEach(async () => {
  fixture = await createFixture();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await fixture.close();
});

/** Opens a socket, or returns the status that rejected it. */
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
  if (typeof socket === "number") throw new Error(`rejected with ${socket}`);
  return socket;
}

async function start(runner: Runner, transport = "acme", body?: unknown, apiKey = ""): Promise<string> {
  const answer = await fetch(new URL("/start", runner.url), {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}`, connection: "close" },
    body: JSON.stringify({ transport, body }),
  });
  return new URL(((await answer.json()) as { wsUrl: string }).wsUrl).pathname;
}

const announce = (call: string, carrier = "acme", more = {}) =>
  JSON.stringify({ event: "start", stream: "S1", [carrier]: { call }, ...more });

describe("two carriers on one socket path", () => {
  test("are recognized in their start messages", async () => {
    const runner = await fixture.open();
    (await opened(runner, "/ws")).send(announce("A1"));
    (await opened(runner, "/ws")).send(announce("B1", "bell"));
    await expect.poll(() => fixture.calls.length).toBe(2);
    expect(fixture.calls.map(({ args }) => args.transport).sort()).toEqual(["acme", "bell"]);
  });

  test("do not answer each other's sessions", async () => {
    const runner = await fixture.open();
    const socket = await opened(runner, await start(runner, "bell"));
    for (let n = 0; n < 5; n++) socket.send(announce("A1"));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "START_MESSAGE_MISSING"]);
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 0 });
  });

  test("with the same start message get the calls of their own sessions", async () => {
    const clone = { ...createAcme(), name: "clone" };
    const plugins = [createTelephonyPlugin(createAcme()), createTelephonyPlugin(clone)];
    for (const ordered of [plugins, plugins.toReversed()]) {
      const runner = await fixture.open({ plugins: ordered });
      const count = fixture.calls.length;
      (await opened(runner, await start(runner, "clone"))).send(announce("A1"));
      (await opened(runner, await start(runner, "acme"))).send(announce("A2"));
      await expect.poll(() => fixture.calls.length).toBe(count + 2);
      const transports = fixture.calls.slice(count).map(({ args }) => [args.transport, args.callData?.callId]);
      expect(transports.sort()).toEqual([
        ["acme", "A2"],
        ["clone", "A1"],
      ]);
    }
  });

  test("when only one of them is enabled: calls of the other are closed", async () => {
    const runner = await fixture.open({ transport: "bell" });
    const socket = await opened(runner, "/ws");
    for (let n = 0; n < 5; n++) socket.send(announce("A1"));
    expect((await once(socket, "close"))[0]).toBe(1008);
  });

  test("when one throws at a start message: the call of the other is answered", async () => {
    const runner = await fixture.open();
    const socket = await opened(runner, "/ws");
    socket.send(JSON.stringify({ explode: "start" }));
    socket.send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
    expect(fixture.logger.lines.filter(({ level }) => level === "error")).toHaveLength(2);
  });
});

describe("the call id of a start message", () => {
  test.each([".", "..", "a/b", "A1?x", "x".repeat(65)])("must have the carrier's shape, not %j", async (id) => {
    const runner = await fixture.open();
    const socket = await opened(runner, "/ws");
    socket.send(announce(id));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "CALL_ID_INVALID"]);
    expect(fixture.calls).toEqual([]);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("may be anything on the socket of a start request, and several pages may have the same one", async () => {
    const runner = await fixture.open();
    for (const count of [1, 2]) {
      (await opened(runner, await start(runner))).send(announce("a web page / 1"));
      await expect.poll(() => fixture.calls.length).toBe(count);
    }
  });
});

describe("with an API key, a socket without a session", () => {
  const apiKey = "a-key-of-sixteen-letters";
  const publicUrl = new URL("https://bots.example.com");
  const signed = { "x-acme": signAcme("https://bots.example.com/ws", "", "a key") };

  test("requires proof: a signature, or the key", async () => {
    const runner = await fixture.open({ apiKey, publicUrl });
    expect(await dial(runner, "/ws")).toBe(401);
    expect(await dial(runner, "/ws?token=another-key-of-letters")).toBe(401);
    expect(await dial(runner, "/ws", { authorization: "Basic YTpi" })).toBe(401);
    const accepted: readonly [path: string, headers: object, carrier: string][] = [
      ["/ws", signed, "acme"],
      [`/ws?token=${apiKey}`, {}, "bell"],
      ["/ws", { authorization: `Bearer ${apiKey}` }, "bell"],
    ];
    for (const [index, [path, headers, carrier]] of accepted.entries()) {
      (await opened(runner, path, headers)).send(announce(`A${index}`, carrier));
      await expect.poll(() => fixture.calls.length).toBe(index + 1);
    }
  });

  test.each([
    ["without the carrier's secret", { acme: { key: undefined }, publicUrl }],
    ["without a public URL", {}],
    ["with --no-verify-signatures", { acme: { verifySignatures: false }, publicUrl }],
  ])("requires it also %s, and its start message starts no bot", async (_, options) => {
    const runner = await fixture.open({ apiKey, ...options });
    expect(await dial(runner, "/ws", signed)).toBe(401);
    expect(fixture.calls).toEqual([]);
  });

  test("is refused, while the socket of a verified webhook and of a start request with the key are accepted", async () => {
    const runner = await fixture.open({ apiKey, publicUrl });
    const phone = await fixture.phone.call({ at: runner.url, publicUrl });
    await expect.poll(() => fixture.calls.length).toBe(1);
    (await opened(runner, await start(runner, "bell", undefined, apiKey))).send(announce("B1", "bell"));
    await expect.poll(() => fixture.calls.length).toBe(2);
    await phone.hangUp();
  });
});

describe("an API request concerns", () => {
  const publicUrl = new URL("https://bots.example.com");
  const key = "a key";
  const signed = (path: string) => ({ "x-acme": signAcme(`https://bots.example.com${path}`, "", key) });

  /** The socket path in the reply to a webhook. */
  async function announced(runner: Runner, call: string): Promise<string> {
    const body = new URLSearchParams({ call }).toString();
    const headers = {
      "x-acme": signAcme("https://bots.example.com/acme", body, key),
      "content-type": "application/x-www-form-urlencoded",
      connection: "close",
    };
    const reply = await fetch(new URL("/acme", runner.url), { method: "POST", headers, body });
    return /\/ws\/[^"]+/.exec(await reply.text())?.[0] ?? "";
  }

  /** Makes a call that breaks, and returns the ids of the calls that the runner then hangs up. */
  async function hungUp(runner: Runner, path: string, headers: object, call: string): Promise<readonly string[]> {
    const count = fixture.api.requests.length;
    const socket = await opened(runner, path, headers);
    socket.send(announce(call));
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    socket.terminate();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    return fixture.api.requests.slice(count).map((request) => request.path.slice("/calls/".length));
  }

  test("a call that a signed upgrade request or a verified webhook named", async () => {
    const runner = await fixture.open({ publicUrl });
    expect(await hungUp(runner, "/ws", signed("/ws"), "A1")).toEqual(["A1"]);
    const path = await announced(runner, "A2");
    expect(await hungUp(runner, path, signed(path), "A2")).toEqual(["A2"]);
  });

  test("a verified call whose process crashed, from another process; its record has no phone numbers", async () => {
    const remembered: object[] = [];
    const observer = { remembered: (_: unknown, record: object) => remembered.push(record) };
    const crashed = await fixture.open({ publicUrl, observer });
    await hungUp(crashed, "/ws", signed("/ws"), "A1");
    const unverified = await fixture.open({ observer });
    await hungUp(unverified, "/ws", {}, "A2");
    expect(remembered).toEqual([{ callId: "A1", streamId: expect.any(String) }]);

    const other = await fixture.open({ publicUrl });
    const count = fixture.api.requests.length;
    for (const record of remembered) await other.cleanUpAfterCrash("acme", JSON.parse(JSON.stringify(record)));
    expect(fixture.api.requests.slice(count).map(({ path }) => path)).toEqual(["/calls/A1"]);
    await other.cleanUpAfterCrash("unknown", {});
    expect(fixture.api.requests.slice(count)).toHaveLength(1);
  });

  test("no call that only its socket named", async () => {
    const runner = await fixture.open();
    expect(await hungUp(runner, "/ws", {}, "A1")).toEqual([]);
    expect(await hungUp(runner, await start(runner), {}, "A2")).toEqual([]);
    expect(await hungUp(runner, await announced(runner, "A3"), {}, "A3")).toEqual([]);
    const warnings = fixture.logger.lines.filter(({ message }) => message.startsWith("socket closed without hang-up"));
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatchObject({ fields: { fix: "Start with --proxy <public hostname>." } });
  });

  test("no call that an accepted but unverified webhook named", async () => {
    const runner = await fixture.open({ publicUrl, acme: { verifySignatures: false } });
    expect(await hungUp(runner, await announced(runner, "A1"), {}, "A1")).toEqual([]);
  });

  test("no other call than the one that the webhook named, where sockets are not signed", async () => {
    const acme = createAcme();
    const { verifyUpgrade: _, ...signatures } = acme.signatures ?? ({} as never);
    const runner = await fixture.open({ publicUrl, plugins: [createTelephonyPlugin({ ...acme, signatures })] });
    expect(await hungUp(runner, await announced(runner, "A1"), {}, "A1")).toEqual(["A1"]);
    expect(await hungUp(runner, await announced(runner, "A2"), {}, "A3")).toEqual([]);
    const socket = await opened(runner, "/ws");
    socket.send(announce("A4"));
    expect((await once(socket, "close")).map(String)).toEqual(["1008", "SIGNATURE_INVALID"]);
  });

  test("no call of a program with the key, whose socket needs no signature", async () => {
    const apiKey = "a-key-of-16-chars";
    const runner = await fixture.open({ publicUrl, apiKey, transport: "acme" });
    expect(await dial(runner, "/ws", { authorization: "Bearer another-key-of-16" })).toBe(401);
    expect(await hungUp(runner, `/ws?token=${apiKey}`, {}, "A1")).toEqual([]);
  });

  test("the verified call, although an unverified socket names the same one", async () => {
    const acme = createAcme();
    const { verifyUpgrade: _, ...signatures } = acme.signatures ?? ({} as never);
    const apiKey = "a-key-of-16-chars";
    const plugins = [createTelephonyPlugin({ ...acme, signatures })];
    const runner = await fixture.open({ publicUrl, apiKey, plugins });
    const path = await announced(runner, "A1");
    const [expected] = runner.sessions;
    const intruder = await opened(runner, `/ws?token=${apiKey}`);
    intruder.send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
    expect(fixture.calls[0]?.args.sessionId).not.toBe(expected?.id);
    (await opened(runner, path)).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(2);
    expect(fixture.calls[1]?.args.sessionId).toBe(expected?.id);
    intruder.terminate();
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    expect(fixture.api.requests).toEqual([]);
  });
});

describe("args.body", () => {
  const inUrl = `?body=${Buffer.from('{"in":"url"}').toString("base64url")}`;

  test.each([
    ["undefined", {}, undefined],
    ["the runner's body", { body: { in: "runner" } }, { in: "runner" }],
  ])(
    "is from the start request, else the URL, else the carrier's parameters, else %s",
    async (_, settings, otherwise) => {
      const runner = await fixture.open(settings);
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
        await expect.poll(() => fixture.calls.length).toBe(index + 1);
        expect(fixture.calls[index]?.args.body).toEqual(body);
      }
    },
  );
});

test("phone numbers in the URL reach the bot when the start message has none", async () => {
  const runner = await fixture.open();
  (await opened(runner, "/ws?from_number=%2B15550100&to_number=%2B15550199")).send(announce("A1"));
  await expect.poll(() => fixture.calls.length).toBe(1);
  expect(fixture.calls[0]?.args.callData).toMatchObject({ from: "+15550100", to: "+15550199" });
});

describe("a session's socket URL", () => {
  test("is rejected before the upgrade when no session is pending there", async () => {
    const runner = await fixture.open();
    expect(await dial(runner, "/ws/unknown")).toBe(404);
    const path = await start(runner);
    (await opened(runner, path)).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
    expect(await dial(runner, path)).toBe(409);
  });

  test("accepts one of two simultaneous callers", async () => {
    const runner = await fixture.open();
    const path = await start(runner);
    const [first, second] = [await opened(runner, path), await opened(runner, path)];
    first.send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
    second.send(announce("A2"));
    const [code, reason] = await once(second, "close");
    expect([code, String(reason)]).toEqual([1008, "SESSION_NOT_PENDING"]);
  });

  test("says that the session has ended when it ends before the start message", async () => {
    const runner = await fixture.open();
    const socket = await opened(runner, await start(runner));
    await runner.sessions.endAll("ended-by-request");
    socket.send(announce("A1"));
    expect(String((await once(socket, "close"))[1])).toBe("SESSION_NOT_PENDING");
    const rejected = fixture.logger.lines.find(({ message }) => message === "WebSocket rejected");
    expect(rejected?.fields.reason).toMatch(/^This session has ended\./);
  });

  test.each(["none", "token"] as const)(
    "can be opened again when the first socket broke before its start message: --ws-auth %s",
    async (webSocketAuth) => {
      const runner = await fixture.open({ webSocketAuth });
      const path = await start(runner);
      (await opened(runner, path)).terminate();
      const again = await vi.waitFor(() => opened(runner, path));
      again.send(announce("A1"));
      await expect.poll(() => fixture.calls.length).toBe(1);
    },
  );

  test("with --ws-auth token has a token, which also opens /ws as bearer and ?token=, once", async () => {
    const runner = await fixture.open({ webSocketAuth: "token" });
    const ways: ((token: string) => [path: string, headers?: Record<string, string>])[] = [
      (token) => [`/ws/${token}`],
      (token) => ["/ws", { authorization: `Bearer ${token}` }],
      (token) => [`/ws?token=${token}`],
    ];
    for (const [index, way] of ways.entries()) {
      const token = (await start(runner, "acme", { way: index })).slice("/ws/".length);
      const [path, headers] = way(token);
      (await opened(runner, path, headers)).send(announce(`A${index}`));
      await expect.poll(() => fixture.calls[index]?.args.body).toEqual({ way: index });
      expect(await dial(runner, path, headers)).toBe(403);
    }
    expect(await dial(runner, "/ws")).toBe(401);
  });

  test("is rejected with 429 at capacity and with 503 while draining", async () => {
    const runner = await fixture.open({ maxSessions: 1 });
    const [talking, waiting] = [await start(runner), await start(runner)];
    (await opened(runner, talking)).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
    expect(await dial(runner, waiting)).toBe(429);
    void runner.drain();
    expect(await dial(runner, waiting)).toBe(503);
  });
});

test("a call on the bare path gets the session that its webhook created", async () => {
  const runner = await fixture.open();
  const body = new URLSearchParams({ call: "A1", from: "+15550100" });
  await fetch(new URL("/acme", runner.url), { method: "POST", body, headers: { connection: "close" } });
  (await opened(runner, "/ws")).send(announce("A1"));
  await expect.poll(() => fixture.calls.length).toBe(1);
  expect(fixture.calls[0]?.args.callData).toMatchObject({ callId: "A1", from: "+15550100" });
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test.each<[string, string, (socket: WebSocket) => void]>([
  ["rate-exceeded", "a flood", (socket) => Array.from({ length: 40_000 }, () => socket.send("{}"))],
  ["transport-failed", "a message above 64 KiB", (socket) => socket.send("x".repeat(65_537))],
  ["caller-left", "a close with 1008", (socket) => socket.close(1008)],
])("the session ends with %s after %s, on the bare path as on a session's URL", async (reason, _, end) => {
  const runner = await fixture.open();
  for (const path of ["/ws", await start(runner)]) {
    const socket = await opened(runner, path);
    socket.send(announce("A1"));
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    end(socket);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
  }
  const ended = fixture.logger.lines.filter(({ message }) => message === "session ended");
  expect(ended.map(({ fields }) => fields.reason)).toEqual([reason, reason]);
});

test("a call in an unsupported format is rejected, logged with the fix, and leaves no session", async () => {
  const runner = await fixture.open();
  for (const path of ["/ws", await start(runner)]) {
    const socket = await opened(runner, path);
    socket.send(announce("A1", "acme", { format: "opus" }));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "MEDIA_FORMAT_UNSUPPORTED"]);
  }
  await expect.poll(() => runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  const logged = fixture.logger.lines.filter((line) => JSON.stringify(line).includes("MEDIA_FORMAT_UNSUPPORTED"));
  expect(logged).toHaveLength(2);
  expect(JSON.stringify(logged[0])).toContain("Leave the format out.");
});

test("a caller above the capacity is rejected with 429 before the upgrade, and with 1013 after it", async () => {
  const runner = await fixture.open({ maxSessions: 1 });
  const [first, socket] = [await opened(runner, "/ws"), await opened(runner, "/ws")];
  first.send(announce("A1"));
  await expect.poll(() => fixture.calls.length).toBe(1);
  expect(await dial(runner, "/ws")).toBe(429);
  socket.send(announce("A2"));
  const [code, reason] = await once(socket, "close");
  expect([code, String(reason)]).toEqual([1013, "AT_CAPACITY"]);
  const figures = await (await fetch(new URL("/metrics", runner.url), { headers: { connection: "close" } })).text();
  expect(figures).toContain('pipecat_rejections_total{code="AT_CAPACITY"} 2');
});

test("a caller above the capacity leaves no codec open", async () => {
  const open = new Set<object>();
  const acme = createAcme();
  const wire: typeof acme.wire = {
    ...acme.wire,
    createCodec(...args) {
      const codec = { ...acme.wire.createCodec(...args), close: () => void open.delete(codec) };
      open.add(codec);
      return codec;
    },
  };
  const plugins = [createTelephonyPlugin({ ...acme, wire })];
  const runner = await fixture.open({ plugins, maxSessions: 1 });
  const paths = [await start(runner), await start(runner)];
  const [first, second] = await Promise.all(paths.map((path) => opened(runner, path)));
  first?.send(announce("A1"));
  await expect.poll(() => fixture.calls.length).toBe(1);
  second?.send(announce("A2"));
  expect((await once(second as WebSocket, "close")).map(String)).toEqual(["1013", "AT_CAPACITY"]);
  await expect.poll(() => open.size).toBe(1);
  first?.terminate();
  await expect.poll(() => open.size).toBe(0);
});

describe("signed upgrade requests", () => {
  const publicUrl = new URL("https://bots.example.com");
  const signed = (path: string, key = "a key") => ({ "x-acme": signAcme(`https://bots.example.com${path}`, "", key) });

  test("are accepted, forged ones are rejected", async () => {
    const runner = await fixture.open({ publicUrl });
    expect(await dial(runner, "/ws", signed("/ws", "another key"))).toBe(403);
    expect(await dial(runner, "/ws", signed("/ws/"))).toBe(403);
    (await opened(runner, "/ws", signed("/ws"))).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
  });

  test("need no token on the bare path; unsigned ones do", async () => {
    const runner = await fixture.open({ publicUrl, webSocketAuth: "token" });
    expect(await dial(runner, "/ws")).toBe(401);
    expect(await dial(runner, "/ws", signed("/ws", "another key"))).toBe(403);
    (await opened(runner, "/ws", signed("/ws"))).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
  });

  test("are required before the upgrade when all carriers sign, otherwise at the start message", async () => {
    const alone = await fixture.open({ publicUrl, transport: "acme" });
    expect(await dial(alone, "/ws")).toBe(403);
    const shared = await fixture.open({ publicUrl });
    const socket = await opened(shared, "/ws");
    socket.send(announce("A1"));
    const [code, reason] = await once(socket, "close");
    expect([code, String(reason)]).toEqual([1008, "SIGNATURE_INVALID"]);
    (await opened(shared, "/ws")).send(announce("B1", "bell"));
    await expect.poll(() => fixture.calls.length).toBe(1);
    expect(fixture.calls[0]?.args.transport).toBe("bell");
  });

  test("are required before the upgrade on a URL from the webhook's reply", async () => {
    const runner = await fixture.open({ publicUrl });
    const body = new URLSearchParams({ call: "A1" }).toString();
    const headers = {
      "x-acme": signAcme("https://bots.example.com/acme", body, "a key"),
      "content-type": "application/x-www-form-urlencoded",
      connection: "close",
    };
    const reply = await fetch(new URL("/acme", runner.url), { method: "POST", headers, body });
    const path = /\/ws\/[^"]+/.exec(await reply.text())?.[0] ?? "";
    expect(await dial(runner, path)).toBe(403);
    expect(await dial(runner, path, signed(path, "another key"))).toBe(403);
    (await opened(runner, path, signed(path))).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
  });

  test("are not required for a URL from /start", async () => {
    const runner = await fixture.open({ publicUrl });
    (await opened(runner, await start(runner))).send(announce("A1"));
    await expect.poll(() => fixture.calls.length).toBe(1);
  });

  test("with a signed webhook through the public URL make a complete call", async () => {
    const runner = await fixture.open({ publicUrl });
    const phone = await fixture.phone.call({ at: runner.url, publicUrl });
    await expect.poll(() => fixture.calls.length).toBe(1);
    await phone.hangUp();
    const forger = createAcmePhone("acme", "another key");
    await expect(forger.call({ at: runner.url, publicUrl })).rejects.toThrow("403");
  });
});

test("audio that arrives before the start message reaches the bot, in order", async () => {
  const runner = await fixture.open();
  const socket = await opened(runner, "/ws");
  const audio = (value: number) => {
    const payload = Buffer.from(Int16Array.from({ length: 160 }, () => value).buffer).toString("base64");
    return JSON.stringify({ event: "media", payload });
  };
  socket.send('{"event":"connected"}');
  for (let n = 1; n <= 6; n++) socket.send(audio(n * 1_000));
  socket.send(announce("A1"));
  for (let n = 7; n <= 8; n++) socket.send(audio(n * 1_000));
  await expect.poll(() => fixture.calls.length).toBe(1);
  const levels: number[] = [];
  for await (const { samples } of fixture.calls[0]?.transport.input ?? []) {
    // The middle of each piece: the resampler smooths its edges.
    levels.push(Math.round((samples[samples.length / 2] ?? 0) / 1_000));
    if (levels.length === 7) break;
  }
  expect(levels).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("a message above 64 KiB closes the socket with 1009", async () => {
  const runner = await fixture.open();
  const socket = await opened(runner, "/ws");
  socket.send("x".repeat(65_537));
  expect((await once(socket, "close"))[0]).toBe(1009);
});

describe("the start message", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  function awaitOn(recognizes: (message: JsonObject) => boolean = ({ event }) => event === "start") {
    const rejected: [string, string][] = [];
    const logger = createRecordingLogger();
    const answered: Buffer[] = [];
    const carrier = {
      runner: { logger } as Partial<RunnerContext> as RunnerContext,
      earlyEvents: ["connected", "media"],
      acceptsAnyIds: () => true,
      recognizeCall: (message: JsonObject) => (recognizes(message) ? { streamId: "S1", callId: "A1" } : undefined),
      answer: () => ({ message: (data: Buffer) => void answered.push(data) }),
    } as Partial<RoutedCarrier> as RoutedCarrier;
    const socket = {
      isOpen: true,
      reject({ code, message }: RunnerError) {
        socket.isOpen = false;
        rejected.push([code, message]);
      },
    };
    const handlers = awaitStart([carrier], socket as never, {} as never);
    const receive = (message: unknown, isBinary = false) =>
      handlers.message(Buffer.from(typeof message === "string" ? message : JSON.stringify(message)), isBinary);
    return { rejected, answered, receive, handlers, logger };
  }

  test("is the last one that the router reads", () => {
    const seen: JsonObject[] = [];
    const { receive, rejected, answered } = awaitOn((message) => seen.push(message) === 2);
    receive({ event: "other" });
    receive({ event: "start" });
    receive({ event: "media" });
    expect(seen).toEqual([{ event: "other" }, { event: "start" }]);
    expect(answered.map(String)).toEqual(['{"event":"media"}']);
    expect(rejected).toEqual([]);
  });

  test("may follow audio, which the call gets afterwards, in order", () => {
    const { receive, rejected, answered, logger } = awaitOn();
    receive({ event: "connected" });
    for (let n = 0; n < 49; n++) receive({ event: "media", n });
    receive({ event: "start" });
    receive({ event: "media", n: 49 });
    const numbers = answered.map((data) => JSON.parse(String(data)).n);
    expect(numbers).toEqual([undefined, ...Array.from({ length: 50 }, (_, n) => n)]);
    expect([rejected, logger.lines]).toEqual([[], []]);
  });

  test("may follow any amount of audio within 10 s; the newest second is held, and one log line counts the rest", () => {
    const { receive, rejected, answered, logger } = awaitOn();
    for (let n = 0; n < 500; n++) receive({ event: "media", n });
    for (let n = 0; n < 4; n++) receive({ event: "media", payload: "x".repeat(20_000) });
    receive({ event: "start" });
    expect(answered.map((data) => data.length)).toEqual([20_030, 20_030, 20_030]);
    expect(rejected).toEqual([]);
    expect(logger.lines).toMatchObject([
      { level: "warn", fields: { dropped: 501 }, message: "early messages dropped" },
    ]);
  });

  test("must be among the first five messages that are not a carrier's", () => {
    const { receive, rejected } = awaitOn();
    receive("junk");
    receive("[]");
    receive({ event: "start" }, true);
    receive({ event: ["media"] });
    receive({ event: "media" });
    expect(rejected).toEqual([]);
    receive({});
    receive({ event: "start" });
    expect(rejected).toEqual([["START_MESSAGE_MISSING", "None of the first 5 messages is a known carrier's."]]);
  });

  test("may be the fifth message", () => {
    const { receive, rejected } = awaitOn();
    for (let n = 0; n < 4; n++) receive({});
    receive({ event: "start" });
    expect(rejected).toEqual([]);
  });

  test("must arrive within 10 s", () => {
    const { rejected } = awaitOn();
    vi.advanceTimersByTime(9_999);
    expect(rejected).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(rejected).toEqual([["START_MESSAGE_MISSING", "No start message arrived within 10 s."]]);
  });

  test("is not awaited after the socket closed", () => {
    awaitOn().handlers.closed?.(1000);
  });
});
