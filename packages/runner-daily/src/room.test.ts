import type { Call } from "@pipecat-ts/runner-core";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { describe, expect, test, vi } from "vitest";
import { createMediaReady, createRoom, type OwnCallerCheck } from "./room.ts";
import { createFakeClock } from "./test/fake-clock.ts";

const frame = (durationMs: number) => ({ samples: new Int16Array(48 * durationMs), sampleRate: 48_000, channels: 1 });

function openMediaReady() {
  const clock = createFakeClock();
  let calls = 0;
  return { clock, mediaReady: createMediaReady(clock, () => calls++), calls: () => calls };
}

test("media is ready after 300 ms of audio, once", () => {
  const { clock, mediaReady, calls } = openMediaReady();
  mediaReady.joined();
  for (let ms = 0; ms < 290; ms += 10) mediaReady.received(frame(10));
  expect(calls()).toBe(0);
  mediaReady.received(frame(10));
  expect(calls()).toBe(1);
  mediaReady.received(frame(300));
  clock.advance(10_000);
  mediaReady.joined();
  expect([calls(), clock.timers]).toEqual([1, 0]);
});

test("without audio, media is ready 2 s after the first caller joined", () => {
  const { clock, mediaReady, calls } = openMediaReady();
  mediaReady.joined();
  clock.advance(1_000);
  mediaReady.joined();
  clock.advance(999);
  expect(calls()).toBe(0);
  clock.advance(1);
  expect([calls(), clock.timers]).toEqual([1, 0]);
});

test("media never becomes ready after the bot left", () => {
  const { clock, mediaReady, calls } = openMediaReady();
  mediaReady.joined();
  mediaReady.stop();
  mediaReady.received(frame(400));
  clock.advance(10_000);
  expect([calls(), clock.timers]).toEqual([0, 0]);
});

describe("a room for a phone call on hold", () => {
  /** Each SIP address is accepted or rejected as `accepted` says, in turn. */
  function openRoom(...accepted: readonly (boolean | Promise<boolean>)[]) {
    const clock = createFakeClock();
    const reasons: string[] = [];
    const call = {
      event: () => undefined,
      error: () => undefined,
      connected: () => undefined,
      left: (reason = "caller-left") => void reasons.push(reason),
    };
    const answers = [...accepted];
    const room = createRoom({
      call: call as Partial<Call> as Call,
      audio: { push: () => undefined, left: () => undefined },
      event: () => undefined,
      clock,
      logger: createRecordingLogger(),
      emptyRoomTimeoutMs: 300_000,
      async connectPhoneCall() {
        if (!(await answers.shift())) throw new Error("rejected");
      },
    });
    room.listener.joined({ local: { session_id: "bot", local: true } });
    return {
      clock,
      reasons,
      room,
      answers,
      async announce() {
        room.listener.event({ action: "dialin-ready", sipEndpoint: "sip:x@daily" });
        await new Promise((resolve) => setImmediate(resolve));
      },
      join: () =>
        room.listener.event({ action: "participant-joined", participant: { session_id: "ann", local: false } }),
    };
  }

  test("ends with transport-failed 10 s after the last SIP address rejected the call", async () => {
    const { clock, reasons, announce } = openRoom(false, false);
    await announce();
    clock.advance(9_999);
    await announce();
    clock.advance(9_999);
    expect(reasons).toEqual([]);
    clock.advance(1);
    expect([reasons, clock.timers]).toEqual([["transport-failed"], 0]);
  });

  test("waits 60 s for the phone caller after a SIP address accepted the call", async () => {
    const { clock, reasons, announce } = openRoom(false, true);
    await announce();
    await announce();
    clock.advance(30_000);
    await announce();
    clock.advance(29_999);
    expect(reasons).toEqual([]);
    clock.advance(1);
    expect([reasons, clock.timers]).toEqual([["caller-left"], 0]);
  });

  test("stays open when a caller has joined", async () => {
    for (const accepted of [true, false]) {
      const { clock, reasons, room, announce, join } = openRoom(accepted, accepted);
      await announce();
      join();
      await announce();
      clock.advance(300_000);
      room.stop();
      expect([reasons, clock.timers]).toEqual([[], 0]);
    }
  });

  test("does not get the call anymore when the bot has left", async () => {
    const { promise: answer, resolve: reject } = Promise.withResolvers<boolean>();
    const { room, announce, answers } = openRoom(answer, true);
    await announce();
    await announce();
    room.stop();
    reject(false);
    await announce();
    expect(answers).toEqual([true]);
  });

  test("has no timers after the bot left", async () => {
    for (const accepted of [true, false]) {
      const { clock, room, announce } = openRoom(accepted);
      room.stop();
      await announce();
      expect(clock.timers).toBe(0);
    }
  });
});

describe("a bot in a room that sessions share", () => {
  const own: OwnCallerCheck = ({ id }, wasPresent) => id === "own" || (id === "unknown" && !wasPresent);
  const participant = (id: string) => ({ session_id: id, local: false });

  /** A bot that waits 10 s for its caller in a room with `present`. */
  function openRoom(...present: string[]) {
    const clock = createFakeClock();
    const left = vi.fn();
    const connected = vi.fn();
    const call = { event: () => undefined, connected, left } as unknown as Call;
    const audio = { push: () => undefined, left: () => undefined };
    const logger = createRecordingLogger();
    const event = () => undefined;
    const room = createRoom({ call, audio, event, clock, logger, emptyRoomTimeoutMs: 10_000, isOwnCaller: own });
    const others = Object.fromEntries(present.map((id) => [id, participant(id)]));
    room.listener.joined({ local: { session_id: "bot", local: true }, ...others });
    const emit = (action: string) => (id: string) => room.listener.event({ action, participant: participant(id) });
    return { clock, left, connected, join: emit("participant-joined"), leave: emit("participant-left") };
  }

  test("waits for its caller after the caller of another session left", () => {
    const { left, join, leave } = openRoom("other");
    leave("other");
    expect(left).not.toHaveBeenCalled();
    join("own");
    leave("own");
    expect(left).toHaveBeenCalledOnce();
  });

  test("is not connected to a caller of another session who left at once, but to its own", () => {
    const { clock, connected, join, leave } = openRoom("other");
    leave("other");
    clock.advance(2_000);
    expect(connected).not.toHaveBeenCalled();
    join("own");
    clock.advance(2_000);
    expect(connected).toHaveBeenCalledOnce();
  });

  test("leaves with an unknown caller who joined after it, but not with one who was there before", () => {
    const { left, join, leave } = openRoom("unknown");
    leave("unknown");
    expect(left).not.toHaveBeenCalled();
    join("unknown");
    leave("unknown");
    expect(left).toHaveBeenCalledOnce();
  });

  test("leaves when its caller does not come in time: at once if it is alone, or else with the last caller", () => {
    const alone = openRoom("other");
    alone.leave("other");
    alone.clock.advance(10_000);
    expect(alone.left).toHaveBeenCalledOnce();
    const accompanied = openRoom("other");
    accompanied.clock.advance(10_000);
    expect(accompanied.left).not.toHaveBeenCalled();
    accompanied.leave("other");
    expect(accompanied.left).toHaveBeenCalledOnce();
  });
});
