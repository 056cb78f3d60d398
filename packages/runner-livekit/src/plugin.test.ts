import { once } from "node:events";
import { createServer } from "node:http";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { until } from "@pipecat-ts/runner-testing";
import { TokenVerifier } from "livekit-server-sdk";
import { describe, expect, test } from "vitest";
import { livekitOptions } from "./options.ts";
import plugin from "./plugin.ts";
import { apiKey, apiSecret } from "./test/livekit-api.ts";
import { openLiveKitRunner } from "./test/livekit-runner.ts";

const replyOf = (answer: { readonly json?: unknown }) => answer.json as Readonly<Record<string, string>>;

describe("a start request", () => {
  test("returns the URL, a caller's token and the session id, and runs a bot in a new room", async () => {
    const { start, api, calls, rooms } = await openLiveKitRunner();
    const answer = await start({ plan: "gold" });
    const { url, token = "", sessionId } = replyOf(answer);
    expect([answer.status, url]).toEqual([200, api.url]);
    const [room = ""] = api.rooms.keys();
    expect(room).toMatch(/^pipecat-[0-9a-f]{8}$/);
    await until("the bot is in the room", () => rooms.bots(room).length === 1, 5_000);
    expect(calls).toMatchObject([{ sessionId, url, roomName: room, body: { plan: "gold" } }]);

    const verifier = new TokenVerifier(apiKey, apiSecret);
    expect(await verifier.verify(token)).toMatchObject({
      sub: expect.stringMatching(/^User-[0-9a-f]{8}$/),
      video: { room, roomJoin: true },
    });
    expect(await verifier.verify(calls[0]?.token ?? "")).toMatchObject({
      sub: expect.stringMatching(/^Pipecat Agent-[0-9a-f]{8}$/),
      kind: "agent",
      video: { room, roomJoin: true, agent: true },
    });
  });

  test("uses the room in LIVEKIT_ROOM_NAME for all sessions, and does not delete it", async () => {
    const { start, call, api, calls } = await openLiveKitRunner({ livekit: { roomName: "lobby" } });
    const { caller } = await call();
    await start();
    await until("both bots run", () => calls.length === 2, 5_000);
    expect(new Set(calls.map(({ token }) => token)).size).toBe(2);
    expect([...api.rooms.keys()]).toEqual(["lobby"]);
    await caller.hangUp();
    expect(api.requests.map(({ method }) => method)).toEqual(["ListRooms", "CreateRoom", "ListRooms"]);
  });

  test("gives bots and callers identities of their own, although the session ids of one process begin alike", async () => {
    let sessions = 0;
    const { start, rooms, ended, runner, calls } = await openLiveKitRunner({
      livekit: { roomName: "lobby" },
      // As with child processes.
      sessionIds: () => `0a1b2c3d-0001-8000-8000-00000000000${++sessions}`,
    });
    const tokens = [replyOf(await start()).token ?? "", replyOf(await start()).token ?? ""];
    await until("both bots run", () => calls.length === 2, 5_000);
    await until("both bots are in the room", () => rooms.bots("lobby").length === 2, 5_000);
    const [first, second] = [await rooms.join(tokens[0] ?? ""), await rooms.join(tokens[1] ?? "")];
    expect(first.identity).not.toBe(second.identity);
    expect(rooms.bots("lobby").map(({ closed }) => closed)).toEqual([false, false]);
    expect(runner.sessions.counts.active).toBe(2);
    await first.hangUp();
    await second.hangUp();
    expect(await ended()).toEqual(["caller-left", "caller-left"]);
  });

  test("returns where the caller uploads files, if uploads are on", async () => {
    const fileStorage = {
      save: () => Promise.resolve("pipecat:0123456789abcdef"),
      load: () => Promise.resolve(Buffer.from("hello")),
      delete: () => Promise.resolve(),
    };
    const { start, calls } = await openLiveKitRunner({ fileStorage });
    const { fileUploadUrl, sessionId } = replyOf(await start());
    expect(fileUploadUrl).toBe(`/sessions/${sessionId}/files`);
    await until("the bot runs", () => calls.length === 1, 5_000);
    expect(calls[0]?.fileStorage).toBeDefined();
    const { start: startWithout } = await openLiveKitRunner();
    expect(replyOf(await startWithout())).not.toHaveProperty("fileUploadUrl");
  });

  test("for a full room gets 503", async () => {
    const { start, api } = await openLiveKitRunner({ livekit: { roomName: "full" } });
    api.addRoom("full", 1);
    api.countParticipants = () => 1;
    expect(await start()).toMatchObject({ status: 503, json: { code: "LIVEKIT_ROOM_FULL" } });
  });

  test.each([
    ["a wrong secret", { apiSecret: "not-the-secret" }, "LIVEKIT_REFUSED", "401 unauthenticated"],
    ["an unreachable server", { url: "ws://127.0.0.1:9" }, "LIVEKIT_UNREACHABLE", "ECONNREFUSED"],
    ["an unknown host", { url: "wss://livekit.invalid" }, "LIVEKIT_UNREACHABLE", "livekit.invalid"],
  ])("with %s gets 502 and leaves no session", async (_, livekit, code, text) => {
    const { start, runner, logger } = await openLiveKitRunner({ livekit });
    const answer = await start();
    expect(answer).toMatchObject({ status: 502, json: { code, detail: expect.stringContaining(text) } });
    await until("the session ends", () => [...runner.sessions].length === 0, 5_000);
    const printed = JSON.stringify([answer.json, logger.lines]);
    expect(printed).not.toContain("not-the-secret");
    expect(printed).not.toContain("eyJ");
  });

  test("to a server that is not LiveKit gets 502", async () => {
    await using page = createServer((_, response) => response.end("<html>")).listen(0, "127.0.0.1");
    await once(page, "listening");
    const { start } = await openLiveKitRunner({ livekit: { url: `http://127.0.0.1:${Object(page.address()).port}` } });
    const detail = expect.stringContaining("does not answer as LiveKit does");
    expect(await start()).toMatchObject({ status: 502, json: { code: "LIVEKIT_REFUSED", detail } });
  });

  test("without keys gets 400 that names them", async () => {
    const { start } = await openLiveKitRunner({ livekit: { apiKey: undefined, apiSecret: undefined } });
    const detail = expect.stringContaining("LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set");
    expect(await start()).toMatchObject({ status: 400, json: { code: "LIVEKIT_SETTINGS_MISSING", detail } });
  });
});

test("a room that cannot be deleted is logged, and the session ends", async () => {
  const { call, api, ended, logger } = await openLiveKitRunner();
  const { caller } = await call();
  api.failNext(500, 500);
  await caller.hangUp();
  expect(await ended()).toEqual(["caller-left"]);
  const line = () => logger.lines.find(({ message }) => message.startsWith("room not deleted"));
  await until("it is logged", () => line() !== undefined, 5_000);
  expect(line()).toMatchObject({ fields: { err: { code: "LIVEKIT_REFUSED" } } });
});

test("a room whose deletion LiveKit does not answer delays neither the session nor the runner, and is logged", async () => {
  const { call, api, ended, logger, runner } = await openLiveKitRunner();
  const { caller } = await call();
  api.failNext("hang");
  const startMs = performance.now();
  await caller.hangUp();
  expect(await ended()).toEqual(["caller-left"]);
  await runner.close();
  expect(performance.now() - startMs).toBeLessThan(4_000);
  expect(logger.lines.filter(({ level }) => level === "warn" || level === "error")).toMatchObject([
    { message: expect.stringMatching(/^room not deleted/), fields: { err: { code: "LIVEKIT_UNREACHABLE" } } },
  ]);
});

test("the room of a session whose process crashed is deleted from another process, unless sessions share it", async () => {
  const remembered: object[] = [];
  const observer = { remembered: (_: unknown, record: object) => remembered.push(record) };
  const crashed = await openLiveKitRunner({ observer });
  await crashed.start();
  const shared = await openLiveKitRunner({ observer, livekit: { roomName: "lobby" } });
  await shared.start();
  expect(remembered).toEqual([{ room: [...crashed.api.rooms.keys()][0] }]);
  const other = await openLiveKitRunner({ livekit: { url: crashed.api.url } });
  await other.runner.cleanUpAfterCrash("livekit", JSON.parse(JSON.stringify(remembered[0])));
  expect(crashed.api.rooms.size).toBe(0);
});

test("the check names missing settings, and is ready with them", async () => {
  const settings = { transport: undefined } as never;
  const given = {
    url: "ws://127.0.0.1:7880",
    apiKey,
    apiSecret,
    roomName: undefined,
    joinTimeout: 15,
    emptyRoomTimeout: 300,
  };
  expect(await plugin.check?.(given, settings)).toEqual({ state: "ready" });
  expect(await plugin.check?.({ ...given, url: undefined }, settings)).toMatchObject({
    state: "limited",
    reason: expect.stringContaining("LIVEKIT_URL is not set"),
  });
  const alone = { transport: "livekit" } as never;
  expect(await plugin.check?.({ ...given, apiKey: undefined }, alone)).toMatchObject({ state: "unavailable" });
});

test.each([
  "ftp://host",
  "localhost:7880",
  "ws://",
  "ws://host?token=1",
  "wss://user:secret@host",
  "wss://host:99999",
  "wss://[::1",
])("the URL %s is rejected", (url) => {
  const resolve = () => resolveOptions(livekitOptions, { env: { LIVEKIT_URL: url } });
  expect(resolve).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});
