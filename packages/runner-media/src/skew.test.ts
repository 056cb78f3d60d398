import { expect, test } from "vitest";
import { createFakeCall, steady } from "./test/fake-call.ts";
import { createFakeClock, settle } from "./test/fake-clock.ts";

const hourMs = 3_600_000;

/** An echo bot for one hour, with a caller whose clock runs at `speed` times our speed. */
async function echoForAnHour(speed: number) {
  const clock = createFakeClock(0);
  let mostDelayMs = 0;
  const call = createFakeCall({
    clock,
    port: {
      send({ samples }) {
        const saidAt = samples[samples.length / 2] as number;
        mostDelayMs = Math.max(mostDelayMs, ((stamp() - saidAt + stamps) % stamps) * 10);
      },
    },
  });
  void call.transport.input.pipeTo(call.transport.output);
  /** The value of a frame is its time of capture in units of 10 ms, so that its delay is known when it is sent back. */
  const stamps = 30_000;
  const stamp = () => Math.floor(clock.now() / 10) % stamps;

  for (let index = 0; (index * 20) / speed < hourMs; index++) {
    await clock.advance((index * 20) / speed - clock.now());
    call.caller.audio(steady(stamp(), 20));
  }
  await settle();
  return { call, mostDelayMs };
}

test("with a caller's clock that is 0.1 % fast for one hour, the delay is bounded and one frame is dropped every 20 s", async () => {
  const { call, mostDelayMs } = await echoForAnHour(1.001);
  const { inputFrames, inputDropped, outputFrames, outputGaps } = call.transport.counters;
  expect(inputFrames).toBe(180_180);
  expect(mostDelayMs).toBeLessThanOrEqual(900);
  expect(inputDropped).toBeLessThanOrEqual(180);
  expect(outputGaps).toBe(0);
  expect(inputFrames - inputDropped - outputFrames).toBeLessThanOrEqual(40);
  expect(call.warnings.length).toBe(1);
}, 120_000);

test("with a caller's clock that is 0.1 % slow for one hour, the delay is bounded with a gap of one frame every 20 s", async () => {
  const { call, mostDelayMs } = await echoForAnHour(0.999);
  const { inputFrames, inputDropped, outputFrames, outputGaps } = call.transport.counters;
  expect(inputFrames).toBe(179_820);
  expect(mostDelayMs).toBeLessThanOrEqual(200);
  expect(inputDropped).toBe(0);
  expect(outputGaps).toBeGreaterThan(150);
  expect(outputGaps).toBeLessThanOrEqual(181);
  expect(inputFrames - outputFrames).toBeLessThanOrEqual(2);
  expect(call.warnings).toEqual([]);
}, 120_000);
