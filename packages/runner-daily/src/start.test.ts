import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bot, createTransport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { createDailyRest } from "./api.ts";
import plugin, { createDailyPlugin } from "./plugin.ts";
import { roomName } from "./rooms.ts";
import { apiKey, readToken, refusal } from "./test/daily-api.ts";
import { type DailyRunner, useDailyFixture } from "./test/daily-runner.ts";
import { createFakeRooms } from "./test/fake-rooms.ts";

const daily = useDailyFixture();
const { open } = daily;

const start = { transport: "daily", createDailyRoom: true };
const inSeconds = (hours: number) => Math.floor(Date.now() / 1000) + hours * 3_600;
const sessionsOf = ({ runner }: DailyRunner) => ({ ...runner.sessions.counts });
const neverCalled = () => Promise.reject(new Error("not called"));
/** The claims of the requested tokens, in order. */
const tokenClaims = () =>
  daily.api.requests.filter(({ path }) => path === "/meeting-tokens").map(({ body }) => body.properties);

describe("POST /start", () => {
  test("creates a room and tokens for four hours, and runs the bot in it", async () => {
    const opened = await open();
    const { status, headers, body } = await opened.post("/start", { ...start, body: { topic: "tea" } });
    expect(status).toBe(200);
    const [room] = [...daily.api.rooms.values()];
    expect(body).toEqual({
      dailyRoom: room?.url,
      dailyToken: expect.any(String),
      sessionId: headers.get("x-session-id"),
    });
    expect(room?.name).toMatch(/^pipecat-[0-9a-f]{8}$/);
    expect(room?.privacy).toBe("public");
    expect(room?.config).toEqual({
      exp: expect.toSatisfy((exp: number) => Math.abs(exp - inSeconds(4)) <= 5),
      eject_at_room_exp: true,
      enable_chat: false,
      enable_prejoin_ui: false,
      enable_emoji_reactions: false,
      start_video_off: false,
    });
    const claims = { room_name: room?.name, exp: room?.config.exp, eject_at_token_exp: true };
    const [args] = opened.calls;
    expect(args).toMatchObject({
      transport: "daily",
      sessionId: body.sessionId,
      roomUrl: room?.url,
      body: { topic: "tea" },
      handleSigint: false,
    });
    expect(Object.keys(args ?? {}).sort()).toEqual(
      "body cliArgs handleSigint handleSigterm roomUrl session sessionId signal token transport".split(" "),
    );
    expect(readToken(args?.token ?? "")).toEqual({ ...claims, is_owner: true });
    expect(readToken(String(body.dailyToken))).toEqual({ ...claims, is_owner: false });
    expect(sessionsOf(opened)).toEqual({ pending: 0, active: 1 });
  });

  test("tells clients where to upload files, if uploads are on", async () => {
    const fileStorage = { save: neverCalled, load: neverCalled, delete: neverCalled };
    const opened = await open({ fileStorage });
    const { body } = await opened.post("/start", start);
    expect(body).toMatchObject({ fileUploadUrl: `/sessions/${body.sessionId}/files` });
  });

  test("createDailyRoom selects this transport beside other ones", async () => {
    const pigeon: TransportPlugin = {
      apiVersion: 1,
      name: "pigeon",
      open: () => ({ start: () => ({ sessionId: "p", body: { pigeon: true } }) }),
    };
    const opened = await open({ plugins: [pigeon, plugin as TransportPlugin] });
    expect((await opened.post("/start", { createDailyRoom: true })).body).toHaveProperty("dailyRoom");
    expect((await opened.post("/start", { createDailyRoom: false })).body).toEqual({ pigeon: true });
    expect((await opened.post("/start", {})).body).toEqual({ pigeon: true });
  });

  test("applies known and unknown properties; room, owner and expiry of tokens cannot be changed", async () => {
    const opened = await open();
    const exp = inSeconds(1);
    await opened.post("/start", {
      ...start,
      dailyRoomProperties: { exp: exp + 0.5, enable_chat: true, enable_dialout: true, future: { a: 1 } },
      dailyMeetingTokenProperties: { user_name: "Tea", room_name: "other", exp: 1, is_owner: true, future: [1] },
    });
    const [room] = [...daily.api.rooms.values()];
    expect(room?.name).toMatch(/^pipecat-telephony-/);
    expect(room?.config).toMatchObject({ exp, enable_chat: true, enable_dialout: true, future: { a: 1 } });
    const common = { user_name: "Tea", room_name: room?.name, exp, eject_at_token_exp: true, future: [1] };
    expect(tokenClaims()).toEqual([
      { ...common, is_owner: true },
      { ...common, is_owner: false },
    ]);
  });

  test("with --daily-owner-token the caller gets the bot's token", async () => {
    const opened = await open({ daily: { ownerToken: true } });
    const { body } = await opened.post("/start", start);
    expect(body.dailyToken).toBe(opened.calls[0]?.token);
    expect(tokenClaims()).toHaveLength(1);
  });

  test("with DAILY_ROOM_URL all sessions use that room", async () => {
    const opened = await open({ daily: { roomUrl: "https://test.daily.co/shared/" } });
    for (const fields of [{}, { createDailyRoom: false }, { createDailyRoom: true }]) {
      const { body } = await opened.post("/start", { transport: "daily", ...fields });
      expect(body.dailyRoom).toBe("https://test.daily.co/shared/");
    }
    expect(daily.api.rooms.size).toBe(0);
    expect(tokenClaims()).toHaveLength(6);
    expect(tokenClaims()[0]).toMatchObject({ room_name: "shared" });
    const refused = await opened.post("/start", { ...start, dailyRoomProperties: { enable_chat: true } });
    expect(refused).toMatchObject({ status: 400, body: { code: "DAILY_PROPERTY_INVALID" } });
  });

  test.each([
    [{ createDailyRoom: "yes" }, "BODY_INVALID", "createDailyRoom"],
    [{ createDailyRoom: false }, "DAILY_ROOM_MISSING", "DAILY_ROOM_URL"],
    [{}, "DAILY_ROOM_MISSING", "createDailyRoom"],
    [{ ...start, dailyRoomProperties: { exp: "late" } }, "DAILY_PROPERTY_INVALID", "dailyRoomProperties.exp"],
    [{ ...start, dailyRoomProperties: "none" }, "DAILY_PROPERTY_INVALID", "dailyRoomProperties"],
    [
      { ...start, dailyMeetingTokenProperties: { user_name: 7 } },
      "DAILY_PROPERTY_INVALID",
      "dailyMeetingTokenProperties.user_name",
    ],
  ])("%j is a 400 that names the fault, and sends nothing to Daily", async (fields, code, fault) => {
    const opened = await open();
    const { status, body } = await opened.post("/start", { transport: "daily", ...fields });
    expect({ status, code: body.code }).toEqual({ status: 400, code });
    expect(body.detail).toContain(fault);
    expect(daily.api.requests).toEqual([]);
    expect(sessionsOf(opened)).toEqual({ pending: 0, active: 0 });
  });

  test("without an API key is a 400 that says where to get one", async () => {
    const opened = await open({ daily: { apiKey: undefined } });
    const { status, body } = await opened.post("/start", { createDailyRoom: true });
    expect({ status, code: body.code }).toEqual({ status: 400, code: "DAILY_API_KEY_MISSING" });
    expect(body.detail).toContain("https://dashboard.daily.co/developers");
  });

  test.each(["POST /rooms", "POST /meeting-tokens"])(
    "answers 502 with Daily's text when it rejects %s",
    async (request) => {
      const opened = await open();
      daily.api.failNext(
        request,
        refusal(400, "invalid-request-error", "bad value"),
        refusal(400, "invalid-request-error", "bad value"),
      );
      const { status, body } = await opened.post("/start", start);
      expect({ status, code: body.code }).toEqual({ status: 502, code: "DAILY_REFUSED" });
      expect(body.detail).toContain("invalid-request-error: bad value");
      await until("the session has ended", () => [...opened.runner.sessions].length === 0, 2_000);
      expect(opened.calls).toEqual([]);
    },
  );

  test("answers 502 when Daily is unreachable, and no reply, log line or banner contains the key", async () => {
    const opened = await open({ daily: { apiUrl: "http://127.0.0.1:1" } });
    const { status, body } = await opened.post("/start", start);
    expect({ status, code: body.code }).toEqual({ status: 502, code: "DAILY_UNREACHABLE" });
    const { lines } = opened.logger;
    expect(JSON.stringify([body, lines, opened.runner.transports])).not.toContain(apiKey);
  });
});

describe("the end of a session", () => {
  test("deletes the room with --daily-delete-rooms", async () => {
    const opened = await open({ daily: { deleteRooms: true } });
    await opened.post("/start", start);
    expect(daily.api.rooms.size).toBe(1);
    opened.finish();
    await until("the room is deleted", () => daily.api.rooms.size === 0, 2_000);
  });

  test("leaves no new room behind when the start fails", async () => {
    const opened = await open({ maxSessions: 1 });
    daily.api.failNext("POST /meeting-tokens", refusal(400, "e", "i"), refusal(400, "e", "i"));
    expect((await opened.post("/start", start)).status).toBe(502);
    await until("the room without tokens is deleted", () => daily.api.rooms.size === 0, 2_000);
    const statuses = (await Promise.all([1, 2, 3].map(() => opened.post("/start", start)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 429, 429]);
    // A start above the capacity creates no room.
    expect(daily.api.requests.filter(({ method, path }) => `${method} ${path}` === "POST /rooms")).toHaveLength(2);
    expect(daily.api.rooms.size).toBe(1);
  });

  test("does not delete rooms otherwise, and never an existing room", async () => {
    const keeping = await open();
    await keeping.post("/start", start);
    keeping.finish();
    await until("the session has ended", () => [...keeping.runner.sessions].length === 0, 2_000);
    expect(daily.api.rooms.size).toBe(1);
    const inShared = await open({ daily: { deleteRooms: true, roomUrl: "https://test.daily.co/shared" } });
    await inShared.post("/start", start);
    inShared.finish();
    await until("the session has ended", () => [...inShared.runner.sessions].length === 0, 2_000);
    expect(daily.api.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
  });

  test("whose process crashed deletes the room from another process, with --daily-delete-rooms", async () => {
    const remembered: object[] = [];
    const observer = { remembered: (_: unknown, record: object) => remembered.push(record) };
    await (await open({ observer })).post("/start", start);
    expect(remembered).toEqual([]);
    const { body } = await (await open({ observer, daily: { deleteRooms: true } })).post("/start", start);
    const room = roomName(String(body.dailyRoom));
    expect(remembered).toEqual([{ room }]);
    const other = await open();
    await other.runner.cleanUpAfterCrash("daily", JSON.parse(JSON.stringify(remembered[0])));
    await until("the room is deleted", () => !daily.api.rooms.has(room), 2_000);
    expect(daily.api.rooms.size).toBe(1);
  });

  test("is not affected by a failed deletion, which is logged", async () => {
    const opened = await open({ daily: { deleteRooms: true } });
    await opened.post("/start", start);
    daily.api.failNext("DELETE", refusal(400, "e", "i"));
    opened.finish();
    await until("the session has ended", () => [...opened.runner.sessions].length === 0, 2_000);
    const warnings = () => opened.logger.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    await until("it is logged", () => warnings().length > 0, 2_000);
    expect(warnings()).toEqual(["room not deleted: it expires on its own"]);
  });
});

describe("sessions in one room", () => {
  /** Starts two sessions in one room, and waits until both bots are in it. */
  async function openTwo(options: Readonly<Record<string, unknown>> = {}) {
    const rooms = createFakeRooms(daily.api);
    const { url, name } = await createDailyRest({ apiKey, apiUrl: daily.api.url }).createRoom({ properties: {} });
    const bot: Bot = async (args) => {
      if (args.transport === "daily") await (await createTransport(args, { daily: () => ({}) })).closed;
    };
    const plugins = [createDailyPlugin(() => rooms.client) as TransportPlugin];
    const opened = await open({ plugins, bot, daily: { roomUrl: url, ...options } });
    const tokens = [
      await opened.post("/start", { transport: "daily" }),
      await opened.post("/start", { transport: "daily" }),
    ];
    await until("the bots are in the room", () => rooms.bots(name).length === 2, 2_000);
    const join = (index: number) => rooms.join(url, String(tokens[index]?.body.dailyToken));
    const remaining = () => sessionsOf(opened).active;
    return { join, remaining };
  }

  test.each([false, true])("end with their own callers (ownerToken: %s)", async (ownerToken) => {
    const { join, remaining } = await openTwo({ ownerToken });
    await (await join(0)).hangUp();
    await until("the first session ends", () => remaining() === 1, 2_000);
    await sleep(50);
    expect(remaining()).toBe(1);
    await (await join(1)).hangUp();
    await until("the second session ends", () => remaining() === 0, 2_000);
  });

  test("give callers a user_id, unless the start request has one", async () => {
    const shared = await open({ daily: { roomUrl: "https://test.daily.co/shared" } });
    await shared.post("/start", { transport: "daily" });
    await shared.post("/start", { transport: "daily", dailyMeetingTokenProperties: { user_id: "ann" } });
    const callerId = expect.stringMatching(/^pipecat-[0-9a-f]{16}$/);
    expect(tokenClaims()).toMatchObject([
      expect.not.objectContaining({ user_id: expect.anything() }),
      { is_owner: false, user_id: callerId },
      { is_owner: true, user_id: "ann" },
      { is_owner: false, user_id: "ann" },
    ]);
  });
});

test("a phone call in the runner's own body is connected to the room", async () => {
  const rooms = createFakeRooms(daily.api);
  const body = { dialin_settings: { call_id: "c", call_domain: "d" } };
  const bot: Bot = async (args) => {
    if (args.transport === "daily") await (await createTransport(args, { daily: () => ({}) })).closed;
  };
  const plugins = [createDailyPlugin(() => rooms.client) as TransportPlugin];
  const { post } = await open({ plugins, bot, body });
  const { body: reply } = await post("/start", start);
  const name = roomName(String(reply.dailyRoom));
  await until("the bot is in the room", () => rooms.bots(name).length === 1, 2_000);
  rooms.bots(name)[0]?.listener.event({ action: "dialin-ready", sipEndpoint: "sip:x@test" });
  await until("the call is connected", () => daily.api.pinlessUpdates.length === 1, 2_000);
});

/** Without `fetch`, which adds Sec-Fetch headers. */
async function get({ runner }: DailyRunner, headers: Record<string, string> = {}, method = "GET") {
  const sent = request(new URL("/daily", runner.url), { method, headers, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const text = String(Buffer.concat(await response.toArray()));
  const code: unknown = text.startsWith("{") ? JSON.parse(text).code : undefined;
  return { status: response.statusCode, headers: response.headers, code };
}

describe("GET /daily", () => {
  test("creates a room with a bot and redirects there, without a token", async () => {
    const opened = await open();
    const response = await get(opened);
    expect(response.status).toBe(307);
    expect(response.headers.location).toBe(opened.calls[0]?.roomUrl);
    expect(opened.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("is rejected like a start request", async () => {
    const full = await open({ maxSessions: 1 });
    await get(full);
    expect(await get(full)).toMatchObject({ status: 429, code: "AT_CAPACITY" });
    expect(daily.api.rooms.size).toBe(1);
  });

  test("starts nothing for HEAD", async () => {
    const opened = await open();
    const response = await get(opened, {}, "HEAD");
    expect([response.status, response.headers.allow]).toEqual([405, "GET"]);
    expect([daily.api.requests, opened.calls]).toEqual([[], []]);
  });

  // https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
  test.each([
    ["an image of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
    ["a script of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" }],
    [
      "a frame on another site",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    ],
    ["an unknown request of another site", { "sec-fetch-site": "cross-site" }],
  ])("starts nothing for %s, also when pages of all sites may call", async (_, headers) => {
    const opened = await open({ allowedOrigins: ["*"] });
    expect(await get(opened, headers)).toMatchObject({ status: 403, code: "ORIGIN_REFUSED" });
    expect([daily.api.requests, opened.calls]).toEqual([[], []]);
  });

  test.each([
    [
      "a link on another site",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ],
    ["the address bar", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }],
    ["the server's own page", { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }],
  ])("opens a room for %s", async (_, headers) => {
    expect((await get(await open(), headers)).status).toBe(307);
  });
});
