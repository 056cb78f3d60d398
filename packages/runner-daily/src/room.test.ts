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

describe("a bot in a room that sessions share", () => {
  const own: OwnCallerCheck = ({ id }, wasPresent) => id === "own" || (id === "unknown" && !wasPresent);
  const participant = (id: string) => ({ session_id: id, local: false });

  /** A bot that waits 10 s for its caller in a room with `present`. */
  function openRoom(...present: string[]) {
    const clock = createFakeClock();
    const left = vi.fn();
    const call = { event: () => undefined, connected: () => undefined, left } as unknown as Call;
    const audio = { push: () => undefined, left: () => undefined };
    const logger = createRecordingLogger();
    const event = () => undefined;
    const room = createRoom({ call, audio, event, clock, logger, emptyRoomTimeoutMs: 10_000, isOwnCaller: own });
    const others = Object.fromEntries(present.map((id) => [id, participant(id)]));
    room.listener.joined({ local: { session_id: "bot", local: true }, ...others });
    const emit = (action: string) => (id: string) => room.listener.event({ action, participant: participant(id) });
    return { clock, left, join: emit("participant-joined"), leave: emit("participant-left") };
  }

  test("waits for its caller after the caller of another session left", () => {
    const { left, join, leave } = openRoom("other");
    leave("other");
    expect(left).not.toHaveBeenCalled();
    join("own");
    leave("own");
    expect(left).toHaveBeenCalledOnce();
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
