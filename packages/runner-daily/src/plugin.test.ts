import { type Bot, createTransport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import plugin, { createDailyPlugin } from "./plugin.ts";
import { roomName } from "./rooms/prepare-room.ts";
import { apiKey, readToken, refusal } from "./test/daily-api.ts";
import { openDirectly } from "./test/direct.ts";
import { createMemoryRooms } from "./test/memory-rooms.ts";
import type { RoomsRunner } from "./test/rooms-runner.ts";
import { useDaily } from "./test/use-daily.ts";

const daily = useDaily();
const { open } = daily;

const start = { transport: "daily", createDailyRoom: true };
const inSeconds = (hours: number) => Math.floor(Date.now() / 1000) + hours * 3_600;
const sessionsOf = ({ runner }: RoomsRunner) => ({ ...runner.sessions.counts });
/** The claims of the tokens that were made, in the order they were asked for. */
const tokensMade = () =>
  daily.api.requests.filter(({ path }) => path === "/meeting-tokens").map(({ body }) => body.properties);

describe("POST /start", () => {
  test("makes a room and tokens for four hours, and runs the bot in it", async () => {
    const rooms = await open();
    const { status, headers, body } = await rooms.post("/start", { ...start, body: { topic: "tea" } });
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
    const [args] = rooms.calls;
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
    expect(sessionsOf(rooms)).toEqual({ pending: 0, active: 1 });
  });

  test("createDailyRoom alone means this transport, whatever else is installed", async () => {
    const pigeon: TransportPlugin = {
      name: "pigeon",
      open: () => ({ start: () => ({ sessionId: "p", body: { pigeon: true } }), close: async () => undefined }),
    };
    const rooms = await open({ plugins: [pigeon, plugin as TransportPlugin] });
    expect((await rooms.post("/start", { createDailyRoom: true })).body).toHaveProperty("dailyRoom");
    expect((await rooms.post("/start", { createDailyRoom: false })).body).toEqual({ pigeon: true });
    expect((await rooms.post("/start", {})).body).toEqual({ pigeon: true });
  });

  test("applies room and token properties, known or not; room, owner and expiry of tokens are ours", async () => {
    const rooms = await open();
    const exp = inSeconds(1);
    await rooms.post("/start", {
      ...start,
      dailyRoomProperties: { exp: exp + 0.5, enable_chat: true, enable_dialout: true, future: { a: 1 } },
      dailyMeetingTokenProperties: { user_name: "Tea", room_name: "theirs", exp: 1, is_owner: true, future: [1] },
    });
    const [room] = [...daily.api.rooms.values()];
    expect(room?.name).toMatch(/^pipecat-telephony-/);
    expect(room?.config).toMatchObject({ exp, enable_chat: true, enable_dialout: true, future: { a: 1 } });
    const common = { user_name: "Tea", room_name: room?.name, exp, eject_at_token_exp: true, future: [1] };
    expect(tokensMade()).toEqual([
      { ...common, is_owner: true },
      { ...common, is_owner: false },
    ]);
  });

  test("with --daily-owner-token the caller gets the bot's own token", async () => {
    const rooms = await open({ daily: { ownerToken: true } });
    const { body } = await rooms.post("/start", start);
    expect(body.dailyToken).toBe(rooms.calls[0]?.token);
    expect(tokensMade()).toHaveLength(1);
  });

  test("with a room URL every session meets there, asked for or not", async () => {
    const rooms = await open({ daily: { roomUrl: "https://test.daily.co/ours/" } });
    for (const fields of [{}, { createDailyRoom: false }, { createDailyRoom: true }]) {
      const { body } = await rooms.post("/start", { transport: "daily", ...fields });
      expect(body.dailyRoom).toBe("https://test.daily.co/ours/");
    }
    expect(daily.api.rooms.size).toBe(0);
    expect(tokensMade()).toHaveLength(6);
    expect(tokensMade()[0]).toMatchObject({ room_name: "ours" });
    const refused = await rooms.post("/start", { ...start, dailyRoomProperties: { enable_chat: true } });
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
  ])("%j is a 400 that names what is wrong, and asks nothing of Daily", async (fields, code, named) => {
    const rooms = await open();
    const { status, body } = await rooms.post("/start", { transport: "daily", ...fields });
    expect({ status, code: body.code }).toEqual({ status: 400, code });
    expect(body.detail).toContain(named);
    expect(daily.api.requests).toEqual([]);
    expect(sessionsOf(rooms)).toEqual({ pending: 0, active: 0 });
  });

  test("without a key is a 400 that says where keys are", async () => {
    const rooms = await open({ daily: { apiKey: undefined } });
    const { status, body } = await rooms.post("/start", { createDailyRoom: true });
    expect({ status, code: body.code }).toEqual({ status: 400, code: "DAILY_API_KEY_MISSING" });
    expect(body.detail).toContain("https://dashboard.daily.co/developers");
  });

  test.each(["POST /rooms", "POST /meeting-tokens"])(
    "answers 502 in Daily's words when it refuses %s",
    async (request) => {
      const rooms = await open();
      daily.api.failNext(
        request,
        refusal(400, "invalid-request-error", "not so"),
        refusal(400, "invalid-request-error", "not so"),
      );
      const { status, body } = await rooms.post("/start", start);
      expect({ status, code: body.code }).toEqual({ status: 502, code: "DAILY_REFUSED" });
      expect(body.detail).toContain("invalid-request-error: not so");
      await until("no session is left", () => [...rooms.runner.sessions].length === 0, 2_000);
      expect(rooms.calls).toEqual([]);
    },
  );

  test("answers 502 when Daily is not there, and no answer, log line or banner has the key", async () => {
    const rooms = await open({ daily: { apiUrl: "http://127.0.0.1:1" } });
    const { status, body } = await rooms.post("/start", start);
    expect({ status, code: body.code }).toEqual({ status: 502, code: "DAILY_UNREACHABLE" });
    const { lines } = rooms.logger;
    expect(JSON.stringify([body, lines, rooms.runner.transports])).not.toContain(apiKey);
  });
});

describe("the end of a session", () => {
  test("deletes the room it made, if told to, however it ends", async () => {
    const rooms = await open({ daily: { deleteRooms: true } });
    await rooms.post("/start", start);
    expect(daily.api.rooms.size).toBe(1);
    rooms.finish();
    await until("the room is gone", () => daily.api.rooms.size === 0, 2_000);
  });

  test("leaves no room where it did not start, told to or not: nobody knows of that room", async () => {
    const rooms = await open({ maxSessions: 1 });
    daily.api.failNext("POST /meeting-tokens", refusal(400, "e", "i"), refusal(400, "e", "i"));
    expect((await rooms.post("/start", start)).status).toBe(502);
    await until("the room without tokens is gone", () => daily.api.rooms.size === 0, 2_000);
    const statuses = (await Promise.all([1, 2, 3].map(() => rooms.post("/start", start)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 429, 429]);
    await until("one room is left", () => daily.api.rooms.size === 1, 3_000);
  });

  test("leaves rooms alone otherwise, and those that were there before always", async () => {
    const plain = await open();
    await plain.post("/start", start);
    plain.finish();
    await until("the session is over", () => [...plain.runner.sessions].length === 0, 2_000);
    expect(daily.api.rooms.size).toBe(1);
    const inOurs = await open({ daily: { deleteRooms: true, roomUrl: "https://test.daily.co/ours" } });
    await inOurs.post("/start", start);
    inOurs.finish();
    await until("the session is over", () => [...inOurs.runner.sessions].length === 0, 2_000);
    expect(daily.api.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
  });

  test("goes on when the deletion fails, and says so", async () => {
    const rooms = await open({ daily: { deleteRooms: true } });
    await rooms.post("/start", start);
    daily.api.failNext("DELETE", refusal(400, "e", "i"));
    rooms.finish();
    await until("the session is over", () => [...rooms.runner.sessions].length === 0, 2_000);
    const warnings = () => rooms.logger.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    await until("it is said", () => warnings().length > 0, 2_000);
    expect(warnings()).toEqual(["The room could not be deleted: it expires by itself."]);
  });
});

test("a phone call in the body of callers who bring none is sent to the room, too", async () => {
  const rooms = createMemoryRooms(daily.api);
  const body = { dialin_settings: { call_id: "c", call_domain: "d" } };
  const bot: Bot = async (args) => {
    if (args.transport === "daily") await (await createTransport(args, { daily: () => ({}) })).closed;
  };
  const plugins = [createDailyPlugin(() => rooms.engine) as TransportPlugin];
  const { post } = await open({ plugins, bot, body });
  const { body: reply } = await post("/start", start);
  const name = roomName(String(reply.dailyRoom));
  await until("the bot is in", () => rooms.bots(name).length === 1, 2_000);
  rooms.bots(name)[0]?.listener.event({ action: "dialin-ready", sipEndpoint: "sip:x@test" });
  await until("the call is sent", () => daily.api.pinlessUpdates.length === 1, 2_000);
});

describe("direct", () => {
  test("runs one bot without a server, which handles signals itself", async () => {
    const { args, logger } = await openDirectly(daily.api);
    expect(args).toMatchObject({ transport: "daily", handleSigint: true, handleSigterm: true, body: undefined });
    expect(readToken(args.token)).toMatchObject({ is_owner: true });
    expect(logger.lines.map(({ message }) => message)).toContain(`Open ${args.roomUrl} to talk to the bot.`);
  });
});

describe("availability", () => {
  const check = async (options: Record<string, unknown>, transport?: string) => {
    const rooms = await open({ daily: options, ...(transport === undefined ? {} : { transport }) });
    return rooms.runner.transports[0]?.availability;
  };

  test("without a key it is limited, and cannot be the only one", async () => {
    expect(await check({ apiKey: undefined })).toMatchObject({
      state: "limited",
      fix: expect.stringContaining("DAILY_API_KEY"),
    });
    await expect(check({ apiKey: undefined }, "daily")).rejects.toMatchObject({ code: "TRANSPORT_UNAVAILABLE" });
  });

  test.each([
    [{ roomUrl: "not a url" }, "--daily-room-url (or DAILY_ROOM_URL, DAILY_SAMPLE_ROOM_URL)"],
    [{ roomUrl: "https://test.daily.co/" }, "like https://you.daily.co/room"],
    [{ roomUrl: "javascript:alert(1)" }, "a room's URL"],
    [{ apiUrl: "daily" }, "--daily-api-url"],
    [{ pinlessHmacSecret: "not base64!" }, "a value that is not shown"],
  ])("%j stops the runner with the option's name", async (options, named) => {
    await expect(check(options)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(named),
    });
  });

  test("settings come from the environment, the older name of the room too", async () => {
    const rooms = await open({
      pluginOptions: {},
      env: {
        DAILY_API_KEY: apiKey,
        DAILY_API_URL: daily.api.url,
        DAILY_SAMPLE_ROOM_URL: "https://test.daily.co/sample",
      },
    });
    expect((await rooms.post("/start", { transport: "daily" })).body.dailyRoom).toBe("https://test.daily.co/sample");
  });
});
