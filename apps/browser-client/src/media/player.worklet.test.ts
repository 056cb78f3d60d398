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

/** Posts a chunk of `ms` whose samples count up from `first`. */
function post(ms: number, first = 1): void {
  const data = Int16Array.from({ length: (sampleRate * ms) / 1000 }, (_, index) => first + index);
  player.port.onmessage?.({ data });
}

/** Returns the output of the next `ms`. */
function play(ms: number): number[] {
  const output: number[] = [];
  while (output.length < (sampleRate * ms) / 1000) {
    const block = new Float32Array(quantum);
    expect(player.process([], [[block]])).toBe(true);
    output.push(...block);
  }
  return output.map((value) => Math.round(value * 32_768));
}

const silentMs = (output: readonly number[]) => (output.findIndex((value) => value !== 0) / sampleRate) * 1000;

test("starts at once when 40 ms are buffered, and plays every sample in order", () => {
  post(20);
  expect(new Set(play(10))).toEqual(new Set([0]));
  post(20, 481);
  const output = play(45);
  expect(output.slice(0, 960)).toEqual(Array.from({ length: 960 }, (_, index) => index + 1));
  expect(new Set(output.slice(960))).toEqual(new Set([0]));
});

test("starts after 40 ms with less audio, because an utterance may be short", () => {
  post(10);
  expect(silentMs(play(100))).toBeCloseTo(40, -1);
});

test("doubles the delay up to 160 ms when audio arrives late", () => {
  for (const expectedMs of [40, 80, 160, 160]) {
    post(10);
    const output = play(expectedMs + 20);
    expect(Math.abs(silentMs(output) - expectedMs), `${silentMs(output)} ms, not ${expectedMs}`).toBeLessThan(6);
    play(50);
  }
});

test("does not treat a pause between two utterances as late audio", () => {
  for (let utterance = 0; utterance < 3; utterance++) {
    post(10);
    expect(silentMs(play(60))).toBeLessThan(46);
    play(300);
  }
});

test("plays without a pause while audio is buffered", () => {
  post(50);
  const output = [...play(20)];
  post(50, 1_201);
  output.push(...play(100));
  expect(output.filter((value) => value !== 0)).toEqual(Array.from({ length: 2_400 }, (_, index) => index + 1));
});

test("drops the buffered audio on `null`", () => {
  post(500);
  play(20);
  player.port.onmessage?.({ data: null });
  expect(new Set(play(100))).toEqual(new Set([0]));
  post(50, 7_000);
  expect(play(50).find((value) => value !== 0)).toBe(7_000);
});
