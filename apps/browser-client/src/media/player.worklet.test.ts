import { beforeAll, beforeEach, expect, test, vi } from "vitest";

const sampleRate = 24_000;
const quantum = 128;

interface Processor {
  readonly port: { onmessage?: (event: { data: Int16Array | null }) => void };
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}
let Player: new () => Processor;
let player: Processor;

beforeAll(async () => {
  vi.stubGlobal("sampleRate", sampleRate);
  vi.stubGlobal(
    "AudioWorkletProcessor",
    class {
      readonly port = {};
    },
  );
  vi.stubGlobal("registerProcessor", (_name: string, processor: typeof Player) => {
    Player = processor;
  });
  await import("./player.worklet.ts");
});
beforeEach(() => {
  player = new Player();
});

/** A chunk of `ms` that counts on from `first`, so that what is heard tells where it stood. */
function post(ms: number, first = 1): void {
  const data = Int16Array.from({ length: (sampleRate * ms) / 1000 }, (_, index) => first + index);
  player.port.onmessage?.({ data });
}

/** What sounds in the next `ms`. */
function hear(ms: number): number[] {
  const heard: number[] = [];
  while (heard.length < (sampleRate * ms) / 1000) {
    const output = new Float32Array(quantum);
    expect(player.process([], [[output]])).toBe(true);
    heard.push(...output);
  }
  return heard.map((value) => Math.round(value * 32_768));
}

const silentMs = (heard: readonly number[]) => (heard.findIndex((value) => value !== 0) / sampleRate) * 1000;

test("begins at once when 40 ms wait, and plays every sample in order", () => {
  post(20);
  expect(new Set(hear(10))).toEqual(new Set([0]));
  post(20, 481);
  const heard = hear(45);
  expect(heard.slice(0, 960)).toEqual(Array.from({ length: 960 }, (_, index) => index + 1));
  expect(new Set(heard.slice(960))).toEqual(new Set([0]));
});

test("begins after 40 ms with less: the end of a speech may be short", () => {
  post(10);
  expect(silentMs(hear(100))).toBeCloseTo(40, -1);
});

test("holds back for longer, up to 160 ms, when the network was late", () => {
  for (const expectedMs of [40, 80, 160, 160]) {
    post(10);
    const heard = hear(expectedMs + 20);
    expect(Math.abs(silentMs(heard) - expectedMs), `${silentMs(heard)} ms, not ${expectedMs}`).toBeLessThan(6);
    hear(50);
  }
});

test("does not take the pause between two speeches for a late network", () => {
  for (let speech = 0; speech < 3; speech++) {
    post(10);
    expect(silentMs(hear(60))).toBeLessThan(46);
    hear(300);
  }
});

test("plays on without a pause while there is something to play, however it comes", () => {
  post(50);
  const heard = [...hear(20)];
  post(50, 1_201);
  heard.push(...hear(100));
  expect(heard.filter((value) => value !== 0)).toEqual(Array.from({ length: 2_400 }, (_, index) => index + 1));
});

test("forgets what waits when it is told to", () => {
  post(500);
  hear(20);
  player.port.onmessage?.({ data: null });
  expect(new Set(hear(100))).toEqual(new Set([0]));
  post(50, 7_000);
  expect(hear(50).find((value) => value !== 0)).toBe(7_000);
});
