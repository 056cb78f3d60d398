import type { AudioFrame } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { counting, createFakeCall, steady } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

/** Collects the frames of a stream. */
function collect(stream: ReadableStream<AudioFrame>): { readonly frames: AudioFrame[]; readonly ended: Promise<void> } {
  const frames: AudioFrame[] = [];
  const ended = (async () => {
    for await (const frame of stream) frames.push(frame);
  })();
  return { frames, ended };
}

function firstValues(frames: readonly AudioFrame[]): (number | undefined)[] {
  return frames.map(({ samples }) => samples[0]);
}

describe("input", () => {
  test("has mono frames of exactly 20 ms at audioInSampleRate, whatever arrives on the wire", async () => {
    for (const [fromRate, toRate] of [
      [8_000, 16_000],
      [16_000, 16_000],
      [48_000, 16_000],
      [44_100, 24_000],
      [16_000, 8_000],
    ] as const) {
      const { transport, caller } = createFakeCall({ params: { audioInSampleRate: toRate } });
      const { frames } = collect(transport.input);
      for (let sent = 0; sent < 1_000; sent += 10) {
        caller.audio(steady(1_000, 10, fromRate, 2));
        await settle();
      }
      expect(frames.length).toBeGreaterThanOrEqual(49);
      expect(frames.length).toBeLessThanOrEqual(50);
      for (const { samples, sampleRate, channels } of frames) {
        expect([samples.length, sampleRate, channels]).toEqual([toRate / 50, toRate, 1]);
      }
      expect(frames[20]?.samples.every((sample) => Math.abs(sample - 1_000) <= 2)).toBe(true);
    }
  });

  test("passes frames of that shape on unchanged", async () => {
    const { transport, caller } = createFakeCall();
    const { frames } = collect(transport.input);
    const frame = steady(7, 20);
    caller.audio(frame);
    await settle();
    expect(frames[0]).toBe(frame);
  });

  test("keeps the order of frames with different lengths", async () => {
    const { transport, caller } = createFakeCall();
    const { frames } = collect(transport.input);
    for (const [index, ms] of [10, 20, 10, 20, 20, 5, 15].entries()) caller.audio(steady(index + 1, ms));
    await settle();
    expect(frames.map(({ samples }) => [samples[0], samples[319]])).toEqual([
      [1, 2],
      [2, 3],
      [4, 4],
      [5, 5],
      [6, 7],
    ]);
  });

  test("loses no audio when the sample rate changes during the call", async () => {
    const { transport, caller, clock } = createFakeCall();
    const { frames } = collect(transport.input);
    for (const rate of [16_000, 8_000, 48_000, 16_000]) {
      for (let index = 0; index < 25; index++) {
        caller.audio(steady(1_000, 20, rate));
        await clock.advance(20);
      }
    }
    expect(frames.length).toBe(100);
    const odd = frames.flatMap(({ samples }) => [...samples]).filter((sample) => Math.abs(sample - 1_000) > 600);
    expect(odd).toEqual([]);
  });

  test("takes one change of the sample rate per 500 ms, drops and counts other rates, and warns once", async () => {
    const { transport, caller, clock, warnings } = createFakeCall();
    const { frames } = collect(transport.input);
    caller.audio(steady(1_000, 20, 8_000));
    for (let passedMs = 0; passedMs < 1_000; passedMs += 20) {
      caller.audio(steady(1_000, 20, 21_001));
      caller.audio(steady(-1_000, 20, 21_003));
      await clock.advance(20);
    }
    // 21,001 Hz until 21,003 Hz is taken after 500 ms.
    expect(transport.counters.inputRateDropped).toBe(49);
    expect(frames.map(({ samples }) => Math.sign(samples[160] ?? 0))).toEqual([
      ...Array(27).fill(1),
      ...Array(24).fill(-1),
    ]);
    expect(warnings).toHaveLength(1);
  });

  test("takes another number of channels with every frame", async () => {
    const { transport, caller, clock } = createFakeCall();
    const { frames } = collect(transport.input);
    for (let index = 0; index < 100; index++) {
      caller.audio(steady(1_000, 20, 48_000, (index % 8) + 1));
      await clock.advance(20);
    }
    expect(transport.counters).toMatchObject({ inputRateDropped: 0, inputInvalid: 0 });
    expect(frames.slice(1).every(({ samples }) => samples.every((sample) => Math.abs(sample - 1_000) <= 2))).toBe(true);
  });

  test("buffers 500 ms, then drops the oldest frames, counts them, and logs once", async () => {
    const { transport, caller, warnings } = createFakeCall();
    const reader = transport.input.getReader();
    for (let index = 0; index <= 25; index++) {
      caller.audio(steady(1, 20));
      await reader.read();
    }
    for (const frame of counting(2, 100)) caller.audio(frame);
    expect(transport.counters.inputDropped).toBe(75);
    expect(warnings.length).toBe(1);
    reader.releaseLock();
    const { frames } = collect(transport.input);
    await settle();
    expect(firstValues(frames)).toEqual(Array.from({ length: 25 }, (_, index) => 77 + index));
  });

  test("counts frames separately, without a warning, while the bot has not started to read", async () => {
    const { transport, caller, warnings } = createFakeCall();
    for (const frame of counting(1, 100)) caller.audio(frame);
    expect(transport.counters).toMatchObject({ inputDropped: 0, inputUnread: 75 });
    expect(warnings).toEqual([]);
    const { frames } = collect(transport.input);
    await settle();
    expect(firstValues(frames)).toEqual(Array.from({ length: 25 }, (_, index) => 76 + index));
  });

  test("gives no warning to a bot that builds its pipe before it greets", async () => {
    const { transport, caller, warnings } = createFakeCall();
    const piped = transport.input.pipeThrough(new TransformStream<AudioFrame, AudioFrame>());
    for (const frame of counting(1, 100)) {
      caller.audio(frame);
      await settle();
    }
    expect(transport.counters.inputUnread).toBeGreaterThan(70);
    expect(warnings).toEqual([]);
    const { frames } = collect(piped);
    await settle();
    expect(firstValues(frames).at(-1)).toBe(100);
  });

  test("gives each listener its own queue, and a canceled one nothing", async () => {
    const { transport, caller } = createFakeCall();
    const { frames } = collect(transport.input);
    const recorder = transport.listen();
    const detector = collect(transport.listen());
    for (const frame of counting(1, 60)) {
      caller.audio(frame);
      await settle();
    }
    expect(frames.length).toBe(60);
    expect(detector.frames.length).toBe(60);
    expect(transport.counters.inputUnread).toBe(35); // The recorder has not read yet.
    const late = collect(recorder);
    await settle();
    expect(firstValues(late.frames)[0]).toBe(36);

    await transport.listen().cancel();
    const late2 = collect(transport.listen());
    caller.audio(steady(99, 20));
    await settle();
    expect(firstValues(late2.frames)).toEqual([99]); // a later listener gets later audio
  });

  test("does not count frames for a canceled stream as dropped", async () => {
    const { transport, caller } = createFakeCall();
    await transport.input.cancel();
    for (const frame of counting(1, 100)) caller.audio(frame);
    expect(transport.counters.inputDropped).toBe(0);
  });

  test("keeps only the last 500 ms of a frame of one minute, before it resamples", async () => {
    const { transport, caller } = createFakeCall();
    const samples = new Int16Array(960_000).fill(1);
    samples.fill(2, -8_000);
    caller.audio({ samples, sampleRate: 16_000, channels: 1 });
    expect(transport.counters.inputFrames).toBe(25);
    expect(transport.counters.inputDropped).toBe(60_000 / 20 - 25);
    const { frames } = collect(transport.input);
    await settle();
    expect(firstValues(frames)).toEqual(new Array(25).fill(2));
  });

  test("skips, counts and warns once about frames that are not audio", () => {
    const { transport, caller, warnings } = createFakeCall();
    const bad = [
      { samples: new Int16Array(320), sampleRate: Number.NaN, channels: 1 },
      { samples: new Int16Array(320), sampleRate: 1e9, channels: 1 },
      { samples: new Int16Array(320), sampleRate: 16_000, channels: 0 },
      { samples: new Int16Array(321), sampleRate: 16_000, channels: 2 },
      { samples: new Float32Array(320), sampleRate: 16_000, channels: 1 },
      { samples: undefined, sampleRate: Symbol("rate"), channels: {} },
      null,
    ] as unknown as AudioFrame[];
    for (const frame of bad) caller.audio(frame);
    caller.audio(steady(0, 0)); // empty and valid
    expect(transport.counters.inputInvalid).toBe(bad.length);
    expect(warnings.length).toBe(1);
    expect(transport.counters.inputFrames).toBe(0);
  });

  test("closes when the caller leaves, after all earlier audio was read", async () => {
    const { transport, caller } = createFakeCall();
    const recorder = transport.listen();
    for (const frame of counting(1, 3)) caller.audio(frame);
    caller.left();
    const input = collect(transport.input);
    const late = collect(recorder);
    await Promise.all([input.ended, late.ended]);
    expect(firstValues(input.frames)).toEqual([1, 2, 3]);
    expect(firstValues(late.frames)).toEqual([1, 2, 3]);
    const { ended, frames } = collect(transport.listen());
    await ended;
    expect(frames).toEqual([]);
  });

  test("closes at once with audioInEnabled: false", async () => {
    const { transport, caller } = createFakeCall({ params: { audioInEnabled: false } });
    caller.audio(steady(1, 20));
    const { frames, ended } = collect(transport.input);
    await ended;
    expect(frames).toEqual([]);
  });

  test("rejects a sample rate at which 20 ms are not a whole number of samples", () => {
    for (const audioInSampleRate of [0, -1, Number.NaN, 11_025, 1e9]) {
      expect(() => createFakeCall({ params: { audioInSampleRate } })).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    }
  });
});
