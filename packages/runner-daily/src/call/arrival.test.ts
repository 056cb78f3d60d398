import { expect, test } from "vitest";
import { createFakeClock } from "../test/fake-clock.ts";
import { createArrival } from "./arrival.ts";

const frame = (durationMs: number) => ({ samples: new Int16Array(48 * durationMs), sampleRate: 48_000, channels: 1 });

function arriving() {
  const clock = createFakeClock();
  let arrivals = 0;
  return { clock, arrival: createArrival(clock, () => arrivals++), arrivals: () => arrivals };
}

test("somebody has arrived when they were heard for 300 ms, once", () => {
  const { clock, arrival, arrivals } = arriving();
  arrival.joined();
  for (let ms = 0; ms < 290; ms += 10) arrival.heard(frame(10));
  expect(arrivals()).toBe(0);
  arrival.heard(frame(10));
  expect(arrivals()).toBe(1);
  arrival.heard(frame(300));
  clock.advance(10_000);
  arrival.joined();
  expect([arrivals(), clock.timers]).toEqual([1, 0]);
});

test("somebody who says nothing has arrived 2 s after the first joined", () => {
  const { clock, arrival, arrivals } = arriving();
  arrival.joined();
  clock.advance(1_000);
  arrival.joined();
  clock.advance(999);
  expect(arrivals()).toBe(0);
  clock.advance(1);
  expect([arrivals(), clock.timers]).toEqual([1, 0]);
});

test("nobody arrives once the bot is out of the room", () => {
  const { clock, arrival, arrivals } = arriving();
  arrival.joined();
  arrival.stop();
  arrival.heard(frame(400));
  clock.advance(10_000);
  expect([arrivals(), clock.timers]).toEqual([0, 0]);
});
