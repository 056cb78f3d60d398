import { expect, test } from "vitest";
import { createMediaReady } from "./room.ts";
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
