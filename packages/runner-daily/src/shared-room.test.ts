import type { AudioFrame } from "@pipecat-ts/audio";
import { createPacer } from "@pipecat-ts/runner-media";
import { createRecordingLogger, cut, join, measureTone, tone, until, within } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DailyTransport } from "./call/daily-transport.ts";
import { createTokens } from "./rooms/prepare-room.ts";
import { createDailyRest } from "./rooms/rest.ts";
import { apiKey, type DailyApi, openDailyApi } from "./test/daily-api.ts";
import { createFakeClock, type FakeClock } from "./test/fake-clock.ts";
import { createMemoryRooms, type MemoryCaller } from "./test/memory-rooms.ts";
import { createDailyTransport } from "./transport.ts";

let api: DailyApi;
let clock: FakeClock;
const opened: DailyTransport[] = [];
beforeEach(async () => {
  api = await openDailyApi();
  clock = createFakeClock();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((transport) => transport.close("shutdown")));
  await api[Symbol.asyncDispose]();
});

/** The bots of two sessions in one room, each of which waits a minute for a caller. */
async function meet() {
  const rooms = createMemoryRooms(api);
  const rest = createDailyRest({ apiKey, apiUrl: api.url });
  const { name, url: roomUrl } = await rest.createRoom({ properties: {}, name: "ours" });
  const expiresAt = Math.floor(Date.now() / 1000) + 60;
  const tokens = await createTokens(rest, { name, expiresAt }, { callerIsOwner: false });
  const open = async () => {
    const transport = await createDailyTransport({
      roomUrl,
      token: tokens.bot,
      params: { emptyRoomTimeoutMs: 60_000 },
      logger: createRecordingLogger(),
      engine: rooms.engine,
      pacer: createPacer(clock),
    });
    opened.push(transport);
    return transport;
  };
  const [one, other] = [await open(), await open()];
  await until("they know of each other", () => one.participants.size === 1 && other.participants.size === 1, 1_000);
  const enter = (): Promise<MemoryCaller> => rooms.join(roomUrl, tokens.caller, "Ann");
  return { one, other, enter, seats: () => rooms.bots(name) };
}

function told(transport: DailyTransport): string[] {
  const events: string[] = [];
  for (const name of ["participantJoined", "firstParticipantJoined", "clientConnected", "participantLeft"] as const) {
    transport.on(name, () => void events.push(name));
  }
  return events;
}

describe("bots of two sessions in one room", () => {
  test("see each other, and leave when nobody else comes", async () => {
    const { one, other } = await meet();
    const events = told(one);
    clock.advance(59_999);
    await null;
    expect(events).toEqual(["participantJoined"]);
    clock.advance(1);
    const reasons = Promise.all([one.closed, other.closed]);
    expect(await within("both leave", reasons, 2_000)).toEqual(["caller-left", "caller-left"]);
    expect(events).not.toContain("clientConnected");
  });

  test("both leave when their caller does", async () => {
    const { one, other, enter } = await meet();
    const events = told(one);
    const caller = await enter();
    await until("it is told", () => events.includes("clientConnected"), 1_000);
    expect(events).toEqual(["participantJoined", "firstParticipantJoined", "participantJoined", "clientConnected"]);
    clock.advance(60_000);
    await caller.hangUp();
    expect(await within("they leave", Promise.all([one.closed, other.closed]), 2_000)).toEqual([
      "caller-left",
      "caller-left",
    ]);
  });

  test("are no reason to leave when the other one does", async () => {
    const { one, other } = await meet();
    const events = told(other);
    await one.close("shutdown");
    await until("it is told", () => events.includes("participantLeft"), 1_000);
    expect([other.participants.size, events]).toEqual([0, ["participantJoined", "participantLeft"]]);
    clock.advance(60_000);
    expect(await within("the other one leaves", other.closed, 2_000)).toBe("caller-left");
  });

  test("do not hear each other, unless one listens to the other", async () => {
    const { one, enter, seats } = await meet();
    const heard: Record<"mixed" | "alone", AudioFrame[]> = { mixed: [], alone: [] };
    const [id = ""] = one.participants.keys();
    void one.listen().pipeTo(new WritableStream({ write: (frame) => void heard.mixed.push(frame) }));
    void one.listenTo(id).pipeTo(new WritableStream({ write: (frame) => void heard.alone.push(frame) }));
    const caller = await enter();
    const [listener] = seats().map((seat) => seat.listener);
    const sounds = { bot: tone(900, { durationMs: 600 }), caller: tone(400, { durationMs: 600 }) };
    for (const frame of cut(sounds.bot)) listener?.audio(id, "audio", frame);
    for (const frame of cut(sounds.caller)) caller.sendAudio(frame);
    await until("all is heard", () => heard.mixed.length >= 30 && heard.alone.length >= 25, 2_000);
    expect(measureTone(join(heard.mixed), 400)).toBeGreaterThan(-30);
    expect(measureTone(join(heard.mixed), 900)).toBeLessThan(-50);
    expect(measureTone(join(heard.alone), 900)).toBeGreaterThan(-30);
  });
});
