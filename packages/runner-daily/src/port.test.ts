import type { AudioFrame } from "@pipecat-ts/audio";
import { type Clock, RunnerError, type Transport } from "@pipecat-ts/runner-core";
import { createPacer, createStandaloneTransport } from "@pipecat-ts/runner-media";
import {
  countResources,
  createRecordingLogger,
  cut,
  join,
  measurePitch,
  measureTone,
  type RecordingLogger,
  settleResources,
  tone,
  until,
  within,
} from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDailyRest } from "./api.ts";
import type { DailyParams } from "./arguments.ts";
import { connectDaily } from "./port.ts";
import { createTokens } from "./rooms.ts";
import { apiKey, type DailyApi, openDailyApi } from "./test/daily-api.ts";
import { createFakeClock, type FakeClock } from "./test/fake-clock.ts";
import {
  createFakeRooms,
  type FakeBotCall,
  type FakeRoomCaller,
  type FakeRooms,
  recordEvents,
} from "./test/fake-rooms.ts";
import type { DailyTransport } from "./transport.ts";

let api: DailyApi;
let rooms: FakeRooms;
let logger: RecordingLogger;
const opened: Transport[] = [];
beforeEach(async () => {
  api = await openDailyApi();
  rooms = createFakeRooms(api);
  logger = createRecordingLogger();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((transport) => transport.close("shutdown")));
  await api[Symbol.asyncDispose]();
});

interface BotOptions {
  readonly params?: DailyParams;
  readonly clock?: Clock;
  /** Default: a new room. */
  readonly room?: string;
  readonly connectPhoneCall?: (sipEndpoint: string) => Promise<void>;
}

interface Bot {
  readonly transport: DailyTransport;
  readonly call: FakeBotCall;
  join(userName?: string): Promise<FakeRoomCaller>;
}

/** Connects a bot without a runner. */
async function openBot(options: BotOptions = {}): Promise<Bot> {
  const { params = {}, clock, room: name = `room-${api.rooms.size}`, connectPhoneCall } = options;
  const rest = createDailyRest({ apiKey, apiUrl: api.url });
  const room = api.rooms.get(name) ?? (await rest.createRoom({ properties: {}, name }));
  const expiresAt = Math.floor(Date.now() / 1000) + 60;
  const tokens = await createTokens(rest, { name, expiresAt }, { callerIsOwner: false });
  const transport = (await createStandaloneTransport({
    name: "daily",
    params,
    logger,
    ...(clock && { pacer: createPacer({ clock }) }),
    connect: (call) =>
      connectDaily(call, {
        roomUrl: room.url,
        token: tokens.bot,
        params,
        logger,
        client: rooms.client,
        ...(clock && { clock }),
        connectPhoneCall,
      }),
  })) as DailyTransport;
  opened.push(transport);
  const call = rooms.bots(name).at(-1);
  if (!call) throw new Error("The bot did not join.");
  return { transport, call, join: (userName) => rooms.join(room.url, tokens.caller, userName) };
}

const participant = (id: string, more: object = {}) => ({ session_id: id, user_name: id, local: false, ...more });
const emit = ({ listener }: FakeBotCall, action: string, fields: object = {}) => listener.event({ action, ...fields });

describe("participants", () => {
  test("are announced once and in order: joined, firstParticipantJoined, participantJoined", async () => {
    const { transport, call } = await openBot();
    for (const id of ["ann", "ben", "ann"]) emit(call, "participant-joined", { participant: participant(id) });
    emit(call, "participant-updated", { participant: participant("ann", { user_name: "Anna" }) });
    emit(call, "participant-updated", { participant: participant("me", { local: true }) });
    emit(call, "active-speaker-change", { activeSpeaker: { peerId: "ben" } });
    emit(call, "active-speaker-change", { activeSpeaker: { peerId: "unknown" } });
    emit(call, "participant-left", { participant: participant("ben"), reason: "hidden" });
    emit(call, "participant-left", { participant: participant("ben") });
    const names = ["joined", "firstParticipantJoined", "participantJoined", "participantUpdated"] as const;
    const events = recordEvents(transport, ...names, "activeSpeakerChanged", "participantLeft");
    await null;
    const ids = events.map(([name, value, ...more]) => [name, (value as { id?: string } | undefined)?.id, ...more]);
    expect(ids.slice(1)).toEqual([
      ["firstParticipantJoined", "ann"],
      ["participantJoined", "ann"],
      ["participantJoined", "ben"],
      ["participantUpdated", "ann"],
      ["activeSpeakerChanged", "ben"],
      ["activeSpeakerChanged", undefined],
      ["participantLeft", "ben", "hidden"],
    ]);
    expect(ids[0]?.[0]).toBe("joined");
    expect([...transport.participants.values()]).toMatchObject([{ id: "ann", info: { userName: "Anna" } }]);
  });

  test("have the shape that Pipecat's bots use", async () => {
    const { transport, join: joinRoom } = await openBot({ params: { userName: "Bot" } });
    expect(transport.localParticipant?.info).toMatchObject({ isLocal: true, isOwner: true, userName: "Bot" });
    await joinRoom("Ann");
    await until("Ann is present", () => transport.participants.size === 1, 1_000);
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

  test("end the call when none joins within emptyRoomTimeoutMs", async () => {
    const clock = createFakeClock();
    const open = (emptyRoomTimeoutMs: number) => openBot({ params: { emptyRoomTimeoutMs }, clock });
    const alone = await open(60_000);
    const visited = await open(60_000);
    const unlimited = [await open(Number.POSITIVE_INFINITY), await open(0)];
    clock.advance(59_999);
    await visited.join();
    await until("the caller is present", () => visited.transport.participants.size === 1, 1_000);
    clock.advance(1);
    expect(await within("the bot leaves", alone.transport.closed, 2_000)).toBe("caller-left");
    clock.advance(1_000_000);
    expect([visited, ...unlimited].map(({ call }) => call.closed)).toEqual([false, false, false]);
  });

  test("have audio streams that close after their last frame when they leave", async () => {
    const { transport, call } = await openBot();
    for (const id of ["ann", "ben"]) emit(call, "participant-joined", { participant: participant(id) });
    const [ann, ben] = ["ann", "ben"].map((id) => transport.listenTo(id).getReader());
    const frame = tone(400, { durationMs: 20 });
    call.listener.audio("ben", "audio", frame);
    emit(call, "participant-left", { participant: participant("ben") });
    expect([(await ben?.read())?.done, (await ben?.read())?.done]).toEqual([false, true]);
    call.listener.audio("ann", "audio", frame);
    expect((await ann?.read())?.done).toBe(false);
  });

  test("end the call when the last one leaves, and left is emitted once", async () => {
    const { transport, join: joinRoom, call } = await openBot();
    const events = recordEvents(transport, "left", "callStateUpdated", "clientConnected", "clientDisconnected");
    const callers = [await joinRoom("Ann"), await joinRoom("Ben")];
    await until("they are connected", () => events.some(([name]) => name === "clientConnected"), 3_000);
    await callers[0]?.hangUp();
    expect(transport.participants.size).toBe(2);
    await until("one is left", () => transport.participants.size === 1, 1_000);
    await callers[1]?.hangUp();
    await transport.closed;
    emit(call, "left-meeting");
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

describe("bots of two sessions in one room", () => {
  const names = ["participantJoined", "firstParticipantJoined", "clientConnected", "participantLeft"] as const;

  async function openBots() {
    const clock: FakeClock = createFakeClock();
    const open = () => openBot({ room: "shared", params: { emptyRoomTimeoutMs: 60_000 }, clock });
    const [one, other] = [await open(), await open()];
    await until(
      "they see each other",
      () => one.transport.participants.size === 1 && other.transport.participants.size === 1,
      1_000,
    );
    return { one, other, clock, bothClosed: Promise.all([one.transport.closed, other.transport.closed]) };
  }

  test("see each other, and leave when no caller joins", async () => {
    const { one, clock, bothClosed } = await openBots();
    const events = recordEvents(one.transport, ...names);
    clock.advance(59_999);
    await null;
    expect(events.map(([name]) => name)).toEqual(["participantJoined"]);
    clock.advance(1);
    expect(await within("both leave", bothClosed, 2_000)).toEqual(["caller-left", "caller-left"]);
    expect(events.map(([name]) => name)).not.toContain("clientConnected");
  });

  test("both leave when their caller leaves", async () => {
    const { one, clock, bothClosed } = await openBots();
    const events = recordEvents(one.transport, ...names);
    const caller = await one.join();
    await until("it is connected", () => events.some(([name]) => name === "clientConnected"), 1_000);
    expect(events.map(([name]) => name)).toEqual([
      "participantJoined",
      "firstParticipantJoined",
      "participantJoined",
      "clientConnected",
    ]);
    clock.advance(60_000);
    await caller.hangUp();
    expect(await within("both leave", bothClosed, 2_000)).toEqual(["caller-left", "caller-left"]);
  });

  test("stay when the other bot leaves", async () => {
    const { one, other, clock } = await openBots();
    const events = recordEvents(other.transport, ...names);
    await one.transport.close("shutdown");
    await until("the other sees it", () => events.some(([name]) => name === "participantLeft"), 1_000);
    expect([other.transport.participants.size, events.map(([name]) => name)]).toEqual([
      0,
      ["participantJoined", "participantLeft"],
    ]);
    clock.advance(60_000);
    expect(await within("the other leaves", other.transport.closed, 2_000)).toBe("caller-left");
  });

  test("ignore each other's audio also before they know each other", async () => {
    const clock = createFakeClock();
    const { transport, call } = await openBot({ clock });
    const events = recordEvents(transport, "clientConnected");
    const mixed: AudioFrame[] = [];
    void transport.listen().pipeTo(new WritableStream({ write: (frame) => void mixed.push(frame) }));
    for (const frame of cut(tone(900, { durationMs: 600 }))) call.listener.audio("other", "audio", frame);
    emit(call, "participant-joined", { participant: participant("other", { userData: { pipecatBot: true } }) });
    await new Promise((resolve) => setImmediate(resolve));
    expect([mixed, events]).toEqual([[], []]);
  });

  test("receive each other's audio only with listenTo", async () => {
    const { one } = await openBots();
    const mixed: AudioFrame[] = [];
    const separate: AudioFrame[] = [];
    const [id = ""] = one.transport.participants.keys();
    void one.transport.listen().pipeTo(new WritableStream({ write: (frame) => void mixed.push(frame) }));
    void one.transport.listenTo(id).pipeTo(new WritableStream({ write: (frame) => void separate.push(frame) }));
    const caller = await one.join();
    for (const frame of cut(tone(900, { durationMs: 600 }))) one.call.listener.audio(id, "audio", frame);
    for (const frame of cut(tone(400, { durationMs: 600 }))) caller.sendAudio(frame);
    await until("all audio has arrived", () => mixed.length >= 30 && separate.length >= 25, 2_000);
    expect(measureTone(join(mixed), 400)).toBeGreaterThan(-30);
    expect(measureTone(join(mixed), 900)).toBeLessThan(-50);
    expect(measureTone(join(separate), 900)).toBeGreaterThan(-30);
  });
});

describe("params", () => {
  test("and their defaults are passed to the Daily client", async () => {
    expect((await openBot()).call.request).toMatchObject({
      userName: "Pipecat Bot",
      sampleRate: 24_000,
      receiveAudio: true,
      timeoutMs: 30_000,
    });
    const params = { userName: "Tea", audioOutSampleRate: 16_000, audioOutBitrate: 64_000, audioInEnabled: false };
    const { call } = await openBot({ params });
    expect(call.request).toMatchObject({ userName: "Tea", sampleRate: 16_000, bitrate: 64_000, receiveAudio: false });
  });

  test.each([
    { audioOutSampleRate: 96_000 },
    { audioOutSampleRate: 24_010 },
    { audioInSampleRate: 7 },
    { emptyRoomTimeoutMs: 30 * 24 * 3_600_000 },
    { emptyRoomTimeoutMs: -1 },
    { emptyRoomTimeoutMs: Number.NaN },
  ])("%j is OPTION_INVALID, and leaves no bot in the room", async (params) => {
    const before = countResources();
    await expect(openBot({ params })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    for (const name of api.rooms.keys()) for (const call of rooms.bots(name)) expect(call.closed).toBe(true);
    expect(await settleResources(before)).toEqual([]);
  });

  test("audioInSampleRate applies to the audio of one participant too", async () => {
    const { transport, call } = await openBot({ params: { audioInSampleRate: 8_000 } });
    const reader = transport.listenTo("ann").getReader();
    const sound = (hz: number) => tone(hz, { durationMs: 400, sampleRate: 48_000 });
    call.listener.audio("ben", "audio", sound(900));
    call.listener.audio("ann", "screenAudio", sound(900));
    call.listener.audio("ann", "audio", sound(400));
    const frames = [];
    for (let n = 0; n < 15; n++) frames.push((await reader.read()).value);
    expect([frames[0]?.samples.length, frames[0]?.sampleRate]).toEqual([160, 8_000]);
    expect(measurePitch(join(frames.filter((frame) => frame !== undefined)))).toBeCloseTo(400, -1);
    await transport.close();
    while (!(await reader.read()).done);
    expect((await transport.listenTo("ben").getReader().read()).done).toBe(true);
  });
});

describe("a phone call on hold", () => {
  test("is connected to the first SIP address that accepts it, and dialinReady follows", async () => {
    const addresses: string[] = [];
    const { transport, call } = await openBot({
      async connectPhoneCall(sipEndpoint) {
        addresses.push(sipEndpoint);
        if (addresses.length === 1) throw new RunnerError("DAILY_REFUSED", "refused");
      },
    });
    const events = recordEvents(transport, "dialinError", "dialinReady", "error");
    for (const n of [1, 2, 3]) emit(call, "dialin-ready", { sipEndpoint: `sip:${n}@test` });
    await until("all events are emitted", () => events.length === 4, 2_000);
    expect(events).toMatchObject([
      ["dialinError", { sipEndpoint: "sip:1@test" }],
      ["error", { code: "DAILY_REFUSED" }],
      ["dialinReady", "sip:2@test"],
      ["dialinReady", "sip:3@test"],
    ]);
    expect(addresses).toEqual(["sip:1@test", "sip:2@test"]);
  });

  test("is not necessary for dialinReady", async () => {
    const { transport, call } = await openBot();
    const events = recordEvents(transport, "dialinReady");
    emit(call, "dialin-ready", { sipEndpoint: "sip:one@test" });
    await until("it is emitted", () => events.length === 1, 2_000);
    expect(events).toEqual([["dialinReady", "sip:one@test"]]);
  });
});

test("changes of participants, recordings and transcriptions are passed to daily-js unchanged", async () => {
  const { transport, call } = await openBot();
  await transport.updateParticipants({ ann: { setAudio: false } });
  await transport.eject("ann");
  await transport.updateRecording({ layout: { preset: "audio-only" } });
  await transport.updateTranscription({ participants: ["ann"] });
  expect(call.requests).toEqual([
    { method: "updateParticipants", args: [{ ann: { setAudio: false } }] },
    { method: "updateParticipant", args: ["ann", { eject: true }] },
    { method: "updateRecording", args: [{ layout: { preset: "audio-only" } }] },
    { method: "updateTranscription", args: [{ participants: ["ann"] }] },
  ]);
});

test("a call that Daily ends reports the reason, without phone numbers", async () => {
  const { transport, call } = await openBot();
  const events = recordEvents(transport, "error");
  emit(call, "error", { errorMsg: "left by +1 (555) 123-4567", error: { type: "ejected" } });
  await transport.closed;
  expect(events).toMatchObject([["error", { message: "Daily ended the bot's call: ejected: left by +…." }]]);
});

test("an error of the join rejects connectDaily unchanged", async () => {
  rooms.failJoin(new RunnerError("DAILY_JOIN_TIMEOUT", "too slow"));
  await expect(openBot()).rejects.toMatchObject({ code: "DAILY_JOIN_TIMEOUT" });
});

test("nonfatal errors are logged without their text, which only the bot gets", async () => {
  const { transport, call } = await openBot();
  const events = recordEvents(transport, "dailyEvent");
  emit(call, "nonfatal-error", { type: "sip-error", errorMsg: "no answer of +15551234567" });
  await until("it is emitted", () => events.length > 0, 1_000);
  const last = events.at(-1);
  expect(last).toMatchObject(["dailyEvent", { errorMsg: "no answer of +15551234567" }]);
  const warnings = logger.lines.filter(({ level }) => level === "warn");
  expect(warnings).toMatchObject([{ message: "nonfatal error of daily-js", fields: { type: "sip-error" } }]);
});
