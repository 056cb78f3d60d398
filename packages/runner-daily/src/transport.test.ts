import { RunnerError, type Transport } from "@pipecat-ts/runner-core";
import { type Clock, createPacer } from "@pipecat-ts/runner-media";
import {
  countResources,
  createRecordingLogger,
  join,
  measurePitch,
  type RecordingLogger,
  settleResources,
  tone,
  until,
  within,
} from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DailyParams } from "./arguments.ts";
import type { DailyTransport } from "./call/daily-transport.ts";
import { createTokens } from "./rooms/prepare-room.ts";
import { createDailyRest } from "./rooms/rest.ts";
import { apiKey, type DailyApi, openDailyApi, refusal } from "./test/daily-api.ts";
import { createFakeClock } from "./test/fake-clock.ts";
import { createMemoryRooms, type MemoryCaller, type MemoryRooms, type MemorySeat } from "./test/memory-rooms.ts";
import { createDailyTransport } from "./transport.ts";

let api: DailyApi;
let rooms: MemoryRooms;
let logger: RecordingLogger;
const opened: Transport[] = [];
beforeEach(async () => {
  api = await openDailyApi();
  rooms = createMemoryRooms(api);
  logger = createRecordingLogger();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((transport) => transport.close("shutdown")));
  await api[Symbol.asyncDispose]();
});

interface Room {
  readonly transport: DailyTransport;
  readonly seat: MemorySeat;
  enter(userName?: string): Promise<MemoryCaller>;
}

/** A bot in a room of its own, by hand. */
async function open(params: DailyParams = {}, body?: unknown, clock?: Clock): Promise<Room> {
  const rest = createDailyRest({ apiKey, apiUrl: api.url });
  const room = await rest.createRoom({ properties: {}, name: `room-${api.rooms.size}` });
  const expiresAt = Math.floor(Date.now() / 1000) + 60;
  const tokens = await createTokens(rest, { name: room.name, expiresAt }, { callerIsOwner: false });
  const { engine } = rooms;
  const transport = await createDailyTransport({
    roomUrl: room.url,
    token: tokens.bot,
    params,
    logger,
    body,
    engine,
    ...(clock && { pacer: createPacer(clock) }),
  });
  opened.push(transport);
  const [seat] = rooms.bots(room.name);
  if (!seat) throw new Error("The bot has no seat.");
  return { transport, seat, enter: (userName) => rooms.join(room.url, tokens.caller, userName) };
}

function told(transport: DailyTransport, ...names: Parameters<DailyTransport["on"]>[0][]): unknown[][] {
  const events: unknown[][] = [];
  for (const name of names) transport.on(name, (...values: unknown[]) => void events.push([name, ...values]));
  return events;
}

const participant = (id: string, more: object = {}) => ({ session_id: id, user_name: id, local: false, ...more });
const tell = ({ listener }: MemorySeat, action: string, fields: object = {}) => listener.event({ action, ...fields });

describe("who is there", () => {
  test("is told in order: joined first, the first participant before anybody, and nobody twice", async () => {
    const { transport, seat } = await open();
    for (const id of ["ann", "ben", "ann"]) tell(seat, "participant-joined", { participant: participant(id) });
    tell(seat, "participant-updated", { participant: participant("ann", { user_name: "Anna" }) });
    tell(seat, "participant-updated", { participant: participant("me", { local: true }) });
    tell(seat, "active-speaker-change", { activeSpeaker: { peerId: "ben" } });
    tell(seat, "active-speaker-change", { activeSpeaker: { peerId: "nobody" } });
    tell(seat, "participant-left", { participant: participant("ben"), reason: "hidden" });
    tell(seat, "participant-left", { participant: participant("ben") });
    const names = ["joined", "firstParticipantJoined", "participantJoined", "participantUpdated"] as const;
    const events = told(transport, ...names, "activeSpeakerChanged", "participantLeft");
    await null;
    const shown = events.map(([name, who, ...more]) => [name, (who as { id?: string } | undefined)?.id, ...more]);
    expect(shown.slice(1)).toEqual([
      ["firstParticipantJoined", "ann"],
      ["participantJoined", "ann"],
      ["participantJoined", "ben"],
      ["participantUpdated", "ann"],
      ["activeSpeakerChanged", "ben"],
      ["activeSpeakerChanged", undefined],
      ["participantLeft", "ben", "hidden"],
    ]);
    expect(shown[0]?.[0]).toBe("joined");
    expect([...transport.participants.values()]).toMatchObject([{ id: "ann", info: { userName: "Anna" } }]);
  });

  test("has the shape that Pipecat's bots know", async () => {
    const { transport, enter } = await open({ userName: "Bot" });
    expect(transport.localParticipant?.info).toMatchObject({ isLocal: true, isOwner: true, userName: "Bot" });
    await enter("Ann");
    await until("Ann is there", () => transport.participants.size === 1, 1_000);
    const [ann] = [...transport.participants.values()];
    expect(ann).toEqual({
      id: ann?.raw.session_id,
      info: {
        isLocal: false,
        isOwner: false,
        joinedAt: "2026-01-01T00:00:00.000Z",
        permissions: { hasPresence: true, canSend: true },
        userId: ann?.id,
        userName: "Ann",
      },
      media: { camera: "off", microphone: "playable", screenVideo: "off", screenAudio: "off" },
      raw: expect.objectContaining({ user_name: "Ann" }),
    });
  });

  test("nobody for too long ends the call; whoever came in time keeps it", async () => {
    const clock = createFakeClock();
    const alone = await open({ emptyRoomTimeoutMs: 60_000 }, undefined, clock);
    const visited = await open({ emptyRoomTimeoutMs: 60_000 }, undefined, clock);
    const patient = await open({ emptyRoomTimeoutMs: Number.POSITIVE_INFINITY }, undefined, clock);
    const unlimited = await open({ emptyRoomTimeoutMs: 0 }, undefined, clock);
    clock.advance(59_999);
    await visited.enter();
    await until("they are there", () => visited.transport.participants.size === 1, 1_000);
    clock.advance(1);
    expect(await within("the bot leaves", alone.transport.closed, 2_000)).toBe("caller-left");
    clock.advance(1_000_000);
    expect([visited, patient, unlimited].map(({ seat }) => seat.closed)).toEqual([false, false, false]);
  });

  test("whoever leaves is heard to the end, and the others are heard on", async () => {
    const { transport, seat } = await open();
    for (const id of ["ann", "ben"]) tell(seat, "participant-joined", { participant: participant(id) });
    const [ann, ben] = ["ann", "ben"].map((id) => transport.listenTo(id).getReader());
    const said = tone(400, { durationMs: 20 });
    seat.listener.audio("ben", "audio", said);
    tell(seat, "participant-left", { participant: participant("ben") });
    expect([(await ben?.read())?.done, (await ben?.read())?.done]).toEqual([false, true]);
    seat.listener.audio("ann", "audio", said);
    expect((await ann?.read())?.done).toBe(false);
  });

  test("the last who leaves ends the call, and left is told once", async () => {
    const { transport, enter, seat } = await open();
    const events = told(transport, "left", "callStateUpdated", "clientConnected", "clientDisconnected");
    const callers = [await enter("Ann"), await enter("Ben")];
    await until("they are connected", () => events.some(([name]) => name === "clientConnected"), 3_000);
    await callers[0]?.hangUp();
    expect(transport.participants.size).toBe(2);
    await until("one is left", () => transport.participants.size === 1, 1_000);
    await callers[1]?.hangUp();
    await transport.closed;
    tell(seat, "left-meeting");
    expect(events).toEqual([
      ["callStateUpdated", "joined"],
      ["clientConnected"],
      ["clientDisconnected", "caller-left"],
      ["callStateUpdated", "leaving"],
      ["callStateUpdated", "left"],
      ["left"],
    ]);
  });
});

describe("params", () => {
  test("reach the engine, and defaults do", async () => {
    expect((await open()).seat.request).toMatchObject({
      userName: "Pipecat Bot",
      sampleRate: 24_000,
      hears: true,
      timeoutMs: 30_000,
    });
    const { seat } = await open({
      userName: "Tea",
      audioOutSampleRate: 16_000,
      audioOutBitrate: 64_000,
      audioInEnabled: false,
    });
    expect(seat.request).toMatchObject({ userName: "Tea", sampleRate: 16_000, bitrate: 64_000, hears: false });
  });

  test.each([
    { audioOutSampleRate: 96_000 },
    { audioOutSampleRate: 24_010 },
    { audioInSampleRate: 7 },
    { emptyRoomTimeoutMs: 30 * 24 * 3_600_000 },
    { emptyRoomTimeoutMs: -1 },
    { emptyRoomTimeoutMs: Number.NaN },
  ])("%j is OPTION_INVALID, and leaves nobody in the room", async (params) => {
    const before = countResources();
    await expect(open(params)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    for (const name of api.rooms.keys()) for (const seat of rooms.bots(name)) expect(seat.closed).toBe(true);
    expect(await settleResources(before)).toEqual([]);
  });

  test("audioInSampleRate is that of one participant's voice, too", async () => {
    const { transport, seat } = await open({ audioInSampleRate: 8_000 });
    const reader = transport.listenTo("ann").getReader();
    const saying = (hz: number) => tone(hz, { durationMs: 400, sampleRate: 48_000 });
    seat.listener.audio("ben", "audio", saying(900));
    seat.listener.audio("ann", "screenAudio", saying(900));
    seat.listener.audio("ann", "audio", saying(400));
    const frames = [];
    for (let n = 0; n < 15; n++) frames.push((await reader.read()).value);
    expect([frames[0]?.samples.length, frames[0]?.sampleRate]).toEqual([160, 8_000]);
    expect(measurePitch(join(frames.filter((frame) => frame !== undefined)))).toBeCloseTo(400, -1);
    await transport.close();
    while (!(await reader.read()).done);
    expect((await transport.listenTo("ben").getReader().read()).done).toBe(true);
  });
});

describe("a phone call in the body", () => {
  const body = {
    dialin_settings: { call_id: "c", call_domain: "d", From: "+1", To: "+2" },
    daily_api_key: apiKey,
  };

  test("is sent to the room's address, by the account that the body names", async () => {
    const { transport, seat } = await open({}, { ...body, daily_api_url: api.url });
    const events = told(transport, "dialinReady");
    tell(seat, "dialin-ready", { sipEndpoint: "sip:one@test" });
    await until("it is told", () => events.length === 1, 2_000);
    expect(api.pinlessUpdates).toEqual([{ callId: "c", callDomain: "d", sipUri: "sip:one@test" }]);
  });

  test("is one of the account that is set up where the body names none, and none without any", async () => {
    const { dialin_settings } = body;
    vi.stubEnv("DAILY_API_KEY", "");
    await expect(open({}, { dialin_settings })).rejects.toMatchObject({ code: "DAILY_API_KEY_MISSING" });
    vi.stubEnv("DAILY_API_KEY", apiKey);
    vi.stubEnv("DAILY_API_URL", api.url);
    const { seat } = await open({}, { dialin_settings });
    tell(seat, "dialin-ready", { sipEndpoint: "sip:one@test" });
    await until("it is sent", () => api.pinlessUpdates.length === 1, 2_000);
  });

  test("that could not be sent is sent to the next address, and is ready only then", async () => {
    const { transport, seat } = await open({}, { ...body, daily_api_url: api.url });
    const events = told(transport, "dialinError", "dialinReady", "error");
    api.failNext("POST /dialin", refusal(400, "invalid-request-error", "no"));
    for (const n of [1, 2, 3]) tell(seat, "dialin-ready", { sipEndpoint: `sip:${n}@test` });
    await until("all is told", () => events.length === 4, 2_000);
    expect(events).toMatchObject([
      ["dialinError", { sipEndpoint: "sip:1@test" }],
      ["error", { code: "DAILY_REFUSED" }],
      ["dialinReady", "sip:2@test"],
      ["dialinReady", "sip:3@test"],
    ]);
    expect(api.pinlessUpdates).toMatchObject([{ sipUri: "sip:2@test" }]);
  });

  test.each([undefined, {}, { dialin_settings: "x" }, { dialin_settings: { call_id: 7 } }, "text"])(
    "is not in %j",
    async (other) => {
      const { transport, seat } = await open({}, other);
      const events = told(transport, "dialinReady");
      tell(seat, "dialin-ready", { sipEndpoint: "sip:one@test" });
      await until("it is told", () => events.length === 1, 2_000);
      expect(api.pinlessUpdates).toEqual([]);
    },
  );
});

test("a room that ends the bot's call says why, without numbers", async () => {
  const { transport, seat } = await open();
  const events = told(transport, "error");
  tell(seat, "error", { errorMsg: "left by +1 (555) 123-4567", error: { type: "ejected" } });
  await transport.closed;
  expect(events).toMatchObject([["error", { message: "Daily ended the bot's call: ejected: left by +…." }]]);
});

test("what fails while joining fails createDailyTransport, as it is", async () => {
  rooms.failJoin(new RunnerError("DAILY_JOIN_TIMEOUT", "too slow"));
  await expect(open()).rejects.toMatchObject({ code: "DAILY_JOIN_TIMEOUT" });
});

test("Daily's passing troubles are logged without what they say, and told to the bot in full", async () => {
  const { transport, seat } = await open();
  const events = told(transport, "dailyEvent");
  tell(seat, "nonfatal-error", { type: "sip-error", errorMsg: "no answer of +15551234567" });
  await null;
  expect(events).toMatchObject([["dailyEvent", { errorMsg: "no answer of +15551234567" }]]);
  const warnings = logger.lines.filter(({ level }) => level === "warn");
  expect(warnings.map(({ message }) => message)).toEqual(["Daily has trouble, and the call goes on: sip-error."]);
});
