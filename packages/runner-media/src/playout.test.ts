import { type AudioFrame, createResampler } from "@pipecat-ts/audio";
import type { MediaPort } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { counting, createFakeCall, type FakeCall, steady, values } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

async function* gen(frames: Iterable<AudioFrame>): AsyncGenerator<AudioFrame> {
  yield* frames;
}

/** How far audio was sent ahead of real time at most, in ms. */
function mostAhead({ sent }: FakeCall, frameMs = 20): number {
  const first = sent[0]?.atMs ?? 0;
  return Math.max(...sent.map(({ atMs }, index) => (index + 1) * frameMs - (atMs - first)));
}

/** Noise in pieces of 20 ms at 16,000 Hz, and when they are written: in order, up to 10 ms too early or too late. */
function liveNoise(seed: number, count: number): { readonly atMs: number; readonly frame: AudioFrame }[] {
  let state = seed;
  function random(): number {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  }
  let lastMs = 0;
  return Array.from({ length: count }, (_, index) => {
    lastMs = Math.max(lastMs, 10 + index * 20 + (random() - 0.5) * 20);
    const samples = Int16Array.from({ length: 320 }, () => (random() - 0.5) * 20_000);
    return { atMs: lastMs, frame: { samples, sampleRate: 16_000, channels: 1 } };
  });
}

function resample(samples: readonly number[], toRate: number): number[] {
  return [...createResampler({ fromRate: 16_000, toRate }).process(Int16Array.from(samples))];
}

describe("output", () => {
  test("is sent in real time, frame by frame, without drift", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    void writer.write(steady(5, 60_000));
    await call.clock.advance(61_000);
    expect(call.sent.length).toBe(3_000);
    const start = call.sent[0]?.atMs ?? 0;
    expect(call.sent.map(({ atMs }) => atMs - start)).toEqual(Array.from({ length: 3_000 }, (_, index) => index * 20));
  });

  test("is sent unchanged at a rate that the wire supports, and otherwise resampled to the first one", async () => {
    const { transport, clock, sent } = createFakeCall({ port: { sampleRates: [24_000, 16_000, 8_000] } });
    const writer = transport.output.getWriter();
    const frame = steady(1_000, 20, 8_000);
    void writer.write(frame);
    await clock.advance(400);
    expect(sent.map((entry) => entry.frame)).toEqual([frame]);
    expect(sent[0]?.frame).toBe(frame);

    void writer.write(steady(1_000, 200, 48_000));
    await clock.advance(400);
    const resampled = sent.slice(1);
    expect(resampled.length).toBe(10);
    for (const entry of resampled) expect([entry.frame.sampleRate, entry.frame.samples.length]).toEqual([24_000, 480]);
    expect(resampled[5]?.frame.samples.every((sample) => Math.abs(sample - 1_000) <= 2)).toBe(true);
  });

  test("may change its sample rate between frames: nothing is lost, and each wire frame has one rate", async () => {
    const { transport, clock, sent } = createFakeCall({ port: { sampleRates: [16_000, 8_000] } });
    const writer = transport.output.getWriter();
    for (const rate of [16_000, 8_000, 24_000, 16_000, 44_100]) void writer.write(steady(1_000, 50, rate));
    await clock.advance(1_000);
    for (const { frame } of sent) expect(frame.samples.length).toBe(frame.sampleRate / 50);
    const loudMs = sent.reduce(
      (sum, { frame }) => sum + (frame.samples.filter((sample) => sample > 500).length * 1000) / frame.sampleRate,
      0,
    );
    expect(loudMs).toBeGreaterThan(245);
    expect(loudMs).toBeLessThan(255);
  });

  test("in stereo is mixed to mono", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    const samples = new Int16Array(640).map((_, index) => (index % 2 === 0 ? 10 : 30));
    void transport.output.getWriter().write({ samples, sampleRate: 16_000, channels: 2 });
    await clock.advance(100);
    expect(sentAudio()).toEqual([[20, 20]]);
  });

  test("of any length is padded with silence only at the end of the utterance", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    const writer = transport.output.getWriter();
    for (let index = 0; index < 10; index++) void writer.write(steady(3, 13));
    await clock.advance(300);
    expect(sentAudio()).toEqual([
      [3, 130],
      [0, 10],
    ]);
  });

  test("that is written in real time with jitter has no gaps and no padding", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    const writer = transport.output.getWriter();
    let at = 0;
    for (let index = 0; index < 50; index++) {
      const due = index * 30 + ([0, 7, -5, 9, 3, -8][index % 6] ?? 0);
      await clock.advance(Math.max(0, due - at));
      at = Math.max(at, due);
      void writer.write(steady(3, 30));
    }
    await clock.advance(300);
    expect(sentAudio()).toEqual([[3, 1_500]]);
    expect(transport.counters.outputGaps).toBe(0);
  });

  const liveWires: readonly [string, Partial<MediaPort>][] = [
    ["sent ahead in frames of 40 ms", { sampleRates: [8_000], frameMs: 40, sendAheadMs: 160 }],
    ["in frames of 40 ms", { sampleRates: [24_000], frameMs: 40 }],
    ["in frames of 20 ms", { sampleRates: [48_000] }],
  ];
  test.each(liveWires)("that is written live with ±10 ms of jitter is resampled as one stream, %s", async (_, port) => {
    for (let seed = 1; seed <= 20; seed++) {
      const call = createFakeCall({ port });
      const writer = call.transport.output.getWriter();
      const pieces = liveNoise(seed, 150);
      for (const { atMs, frame } of pieces) {
        await call.clock.advance(1_000 + atMs - call.clock.now());
        void writer.write(frame);
      }
      const heard = call.sent.flatMap(({ frame }) => [...frame.samples]);
      const ideal = resample(
        pieces.flatMap(({ frame }) => [...frame.samples]),
        port.sampleRates?.[0] ?? 0,
      );
      expect(heard.length).toBeGreaterThan(0.9 * ideal.length);
      expect(heard).toEqual(ideal.slice(0, heard.length));
      expect(call.transport.counters.outputGaps).toBe(0);
    }
  });

  test("that is written live over a wire at another rate ends with one padded frame", async () => {
    const { transport, clock, sent } = createFakeCall({
      port: { sampleRates: [8_000], frameMs: 40, sendAheadMs: 160 },
    });
    const writer = transport.output.getWriter();
    for (let index = 0; index < 31; index++) {
      void writer.write(steady(5_000, 20));
      await clock.advance(20);
    }
    await clock.advance(1_000);
    expect(sent.length).toBe(16); // 620 ms
    const heard = sent.flatMap(({ frame }) => [...frame.samples]);
    expect(heard.findLastIndex((sample) => sample > 2_000)).toBe(620 * 8 - 1);
    expect(heard.slice(100, 4_800).every((sample) => Math.abs(sample - 5_000) < 50)).toBe(true);
  });

  test("applies backpressure to writes above 200 ms", async () => {
    const { transport, clock } = createFakeCall();
    const writer = transport.output.getWriter();
    let written = 0;
    void (async () => {
      for (let index = 0; index < 500; index++) {
        await writer.write(steady(1, 20));
        written += 20;
      }
    })();
    await settle();
    for (let passed = 0; passed < 5_000; passed += 100) {
      expect(written - passed).toBeGreaterThanOrEqual(160);
      expect(written - passed).toBeLessThanOrEqual(240);
      await clock.advance(100);
    }
  });

  test("of 10 minutes at once is held without copies, and played completely", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    let pulled = 0;
    const source = new ReadableStream<AudioFrame>(
      {
        pull(controller) {
          pulled += 1;
          if (pulled > 30_000) controller.close();
          else controller.enqueue(steady((pulled % 1_000) + 1, 20));
        },
      },
      { highWaterMark: 0 },
    );
    writer.releaseLock();
    const piping = source.pipeTo(call.transport.output);
    await settle();
    expect(pulled).toBeLessThan(15); // a pipe is read 200 ms ahead
    for (let minute = 1; minute <= 10; minute++) {
      await call.clock.advance(60_000);
      expect(pulled - minute * 3_000).toBeLessThan(15);
    }
    await call.clock.advance(1_000);
    await piping;
    expect(call.sent.length).toBe(30_000);
    expect(mostAhead(call)).toBeLessThanOrEqual(20);
  });

  test("of 10 minutes in writes that are not awaited is held without copies", async () => {
    const { transport, clock, sent } = createFakeCall();
    const writer = transport.output.getWriter();
    const frame = steady(1, 20);
    const writes = Array.from({ length: 30_000 }, () => writer.write(frame));
    await clock.advance(600_500);
    await Promise.all(writes);
    expect(sent.length).toBe(30_000);
    expect(sent.every((entry) => entry.frame === frame)).toBe(true);
  });

  test("that is not audio is skipped with an error event, and playout continues", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    const errors: unknown[] = [];
    transport.on("error", (error) => errors.push((error as { code?: string }).code));
    const writer = transport.output.getWriter();
    const bad = [
      { samples: new Int16Array(320), sampleRate: Number.NaN, channels: 1 },
      { samples: new Int16Array(320), sampleRate: 16_000, channels: 0 },
      { samples: new Int16Array(320), sampleRate: 1e12, channels: 1 },
      { samples: [1, 2, 3], sampleRate: 16_000, channels: 1 },
      { samples: new Int16Array(320), sampleRate: Symbol("rate"), channels: 1 },
      "audio",
      undefined,
    ] as unknown as AudioFrame[];
    for (const frame of bad) await writer.write(frame);
    await writer.write(steady(0, 0)); // empty and valid
    await writer.write(steady(4, 40));
    await clock.advance(100);
    expect(errors).toEqual(bad.map(() => "AUDIO_INVALID"));
    expect(transport.counters.outputInvalid).toBe(bad.length);
    expect(sentAudio()).toEqual([[4, 40]]);
  });

  test("waits until the caller is connected", async () => {
    const { transport, clock, caller, sentAudio, sent } = createFakeCall({ connected: false });
    void transport.output.getWriter().write(steady(4, 100));
    await clock.advance(5_000);
    expect(sent).toEqual([]);
    expect(clock.timers).toBe(0);
    caller.connected();
    await clock.advance(200);
    expect(sentAudio()).toEqual([[4, 100]]);
  });

  test("is discarded with audioOutEnabled: false, and its writes resolve", async () => {
    const { transport, clock, sent } = createFakeCall({ params: { audioOutEnabled: false } });
    const writer = transport.output.getWriter();
    for (let index = 0; index < 200; index++) await writer.write(steady(1, 20));
    const playback = transport.play(gen(counting(1, 10)));
    await expect(playback.done).resolves.toEqual({ playedMs: 0, interrupted: true });
    await writer.close();
    await clock.advance(1_000);
    expect(sent).toEqual([]);
  });

  test("is discarded on a wire that does not carry it to this caller", async () => {
    const { transport, clock, sent } = createFakeCall({ port: { capabilities: { audioOut: false } } });
    await expect(transport.play(gen(counting(1, 10))).done).resolves.toEqual({ playedMs: 0, interrupted: true });
    await clock.advance(1_000);
    expect(sent).toEqual([]);
  });

  test.each([
    ["by default", {}, {}, {}],
    [
      "with params that disable audio",
      { audioInEnabled: false, audioOutEnabled: false },
      {},
      { audioIn: false, audioOut: false },
    ],
    [
      "on a wire that carries video",
      {},
      { videoIn: true, screenIn: true, videoOut: true },
      { videoIn: true, screenIn: true, videoOut: true },
    ],
    [
      "on a wire without audio",
      { audioInEnabled: true },
      { audioIn: false, audioOut: false },
      { audioIn: false, audioOut: false },
    ],
  ])("the bot can see what the call carries %s", (_, params, capabilities, expected) => {
    const { transport } = createFakeCall({ params, port: { capabilities } });
    const audioOnly = { audioIn: true, audioOut: true, videoIn: false, screenIn: false, videoOut: false };
    expect(transport.capabilities).toEqual({ ...audioOnly, ...expected });
  });

  test("does not block the event loop when a bot writes endlessly without a caller, or empty frames", async () => {
    for (const ms of [20, 0]) {
      const { transport, caller } = createFakeCall();
      if (ms > 0) caller.left();
      const writer = transport.output.getWriter();
      let stop = false;
      let written = 0;
      const endless = (async () => {
        while (!stop) {
          await writer.write(steady(1, ms));
          written += 1;
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 50)); // would never fire if the event loop were blocked
      stop = true;
      await endless;
      if (ms > 0) expect(written).toBeLessThan(5_000);
    }
  });

  test("is dropped, counted and warned about once while the wire buffers more than 1 MiB", async () => {
    let bufferedBytes = 0;
    const { transport, clock, sentAudio, warnings } = createFakeCall({ port: { bufferedBytes: () => bufferedBytes } });
    const writer = transport.output.getWriter();
    for (const frame of counting(1, 50)) void writer.write(frame);
    await clock.advance(190);
    bufferedBytes = 1024 * 1024 + 1;
    await clock.advance(200);
    bufferedBytes = 0;
    await clock.advance(1_000);
    const left = values(sentAudio());
    expect(left.length).toBe(40);
    expect(left.at(-1)).toBe(50);
    expect(transport.counters.outputDropped).toBe(10);
    expect(warnings.length).toBe(1);
  });

  test("continues when bufferedBytes throws, with error events", async () => {
    const port = {
      bufferedBytes() {
        throw new Error("gone");
      },
    };
    const { transport, clock } = createFakeCall({ port });
    const errors: string[] = [];
    transport.on("error", ({ message }) => errors.push(message));
    const writer = transport.output.getWriter();
    await Promise.all([writer.write(steady(5, 100)), clock.advance(500)]);
    expect(errors).toEqual(Array(5).fill("gone"));
    expect(transport.counters.outputDropped).toBe(5);
  });

  test("continues when the wire throws, with error events", async () => {
    let broken = true;
    const { transport, clock, warnings } = createFakeCall({
      port: {
        send() {
          if (broken) throw new Error("broken wire");
        },
      },
    });
    const errors: string[] = [];
    transport.on("error", (error) => errors.push(error.message));
    void transport.output.getWriter().write(steady(1, 100));
    await clock.advance(50);
    broken = false;
    await clock.advance(500);
    expect(errors).toEqual(["broken wire", "broken wire", "broken wire"]);
    expect(transport.counters.outputFrames).toBe(2);
    expect(warnings.length).toBe(2);
  });
});

describe("play", () => {
  test("playedMs never goes back when audio follows a padded frame that was sent ahead", async () => {
    const { transport, clock } = createFakeCall({ port: { frameMs: 40, sendAheadMs: 160 } });
    const playback = transport.play(
      (async function* () {
        yield steady(1, 90);
        await new Promise<void>((resolve) => clock.after(125, resolve));
        yield steady(2, 40);
      })(),
    );
    let lastMs = 0;
    for (let step = 0; step < 100; step++) {
      await clock.advance(5);
      expect(playback.playedMs, `at ${clock.now() - 1_000} ms`).toBeGreaterThanOrEqual(lastMs);
      lastMs = playback.playedMs;
    }
    expect(await playback.done).toEqual({ playedMs: 130, interrupted: false });
  });

  test("plays a stream or an iterable to its end, and reports when it was played", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    const first = transport.play(gen([steady(1, 50)]));
    const second = transport.play(ReadableStream.from(counting(2, 10)));
    let firstDone = 0;
    let secondDone = 0;
    void first.done.then(() => (firstDone = clock.now()));
    void second.done.then(() => (secondDone = clock.now()));
    await clock.advance(100);
    expect(first.playedMs).toBe(50);
    expect(second.playedMs).toBeCloseTo(50, 3);
    await clock.advance(1_000);
    expect(await first.done).toEqual({ playedMs: 50, interrupted: false });
    expect(await second.done).toEqual({ playedMs: 200, interrupted: false });
    expect(firstDone - 1_000).toBeGreaterThanOrEqual(50);
    expect(firstDone - 1_000).toBeLessThanOrEqual(80);
    expect(secondDone - 1_000).toBeGreaterThanOrEqual(250);
    expect(secondDone - 1_000).toBeLessThanOrEqual(280);
    expect(sentAudio()[0]).toEqual([1, 50]);
    expect(values(sentAudio())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("and writes acquire output in the order of their calls, also without await", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    const writer = transport.output.getWriter();
    void writer.write(steady(1, 300));
    for (let index = 0; index < 20; index++) void writer.write(steady(2, 20));
    transport.play(gen([steady(3, 200), steady(3, 200)]));
    void writer.write(steady(4, 100));
    transport.play(gen([steady(5, 100)]));
    transport.play(gen([steady(6, 100)]));
    void writer.write(steady(7, 100));
    await clock.advance(3_000);
    expect(sentAudio()).toEqual([
      [1, 300],
      [2, 400],
      [3, 400],
      [4, 100],
      [5, 100],
      [6, 100],
      [7, 100],
    ]);
  });

  test("reads its source no faster than it plays, and only after it acquired output", async () => {
    const { transport, clock } = createFakeCall();
    let pulled = 0;
    async function* source() {
      for (;;) {
        pulled += 1;
        yield steady(1, 20);
      }
    }
    transport.play(gen([steady(9, 1_000)]));
    transport.play(source());
    await clock.advance(500);
    expect(pulled).toBe(0);
    await clock.advance(1_500);
    expect(pulled).toBeGreaterThan(50);
    expect(pulled).toBeLessThan(70);
    transport.interrupt();
  });

  test("rejects `done` with the error of its source, and the next playback starts", async () => {
    const { transport, clock, sentAudio } = createFakeCall();
    async function* failing() {
      yield steady(1, 40);
      throw new Error("source failed");
    }
    const errors: unknown[] = [];
    transport.on("error", (error) => errors.push(error.message));
    const failed = transport.play(failing());
    const broken = transport.play({} as AsyncIterable<AudioFrame>);
    const locked = ReadableStream.from(counting(1, 1));
    locked.getReader();
    const taken = transport.play(locked);
    transport.play(gen([steady(2, 40)]));
    await expect(failed.done).rejects.toThrow("source failed");
    await expect(broken.done).rejects.toThrow(TypeError);
    await expect(taken.done).rejects.toThrow(TypeError);
    await clock.advance(300);
    expect(sentAudio()).toEqual([
      [1, 40],
      [2, 40],
    ]);
    expect(errors.length).toBe(3);
    expect(errors).toContain("source failed");
  });

  test("emits an error event when its source throws and `done` is not awaited", async () => {
    const { transport, clock, warnings } = createFakeCall();
    const errors: unknown[] = [];
    const listener = (error: unknown) => errors.push(error);
    process.on("unhandledRejection", listener);
    transport.on("error", (error) => errors.push(error.message));
    transport.play(new ReadableStream({ pull: () => Promise.reject(new Error("source failed")) }));
    await clock.advance(20);
    await settle();
    process.off("unhandledRejection", listener);
    expect(errors).toEqual(["source failed"]);
    expect(warnings.length).toBe(1);
  });

  test("of an empty source, or of one without audio, ends at once", async () => {
    const { transport, clock } = createFakeCall();
    async function* nothing() {
      for (let index = 0; index < 1_000; index++) yield steady(1, 0);
      yield { samples: new Int16Array(1), sampleRate: 0, channels: 1 };
    }
    const playback = transport.play(nothing());
    await clock.advance(20);
    await expect(playback.done).resolves.toEqual({ playedMs: 0, interrupted: false });
    expect(transport.counters.outputInvalid).toBe(1);
    let stop = false;
    transport.play(
      (async function* () {
        while (!stop) yield steady(1, 0);
      })(),
    );
    await new Promise((resolve) => setTimeout(resolve, 20)); // would never fire if the event loop were blocked
    stop = true;
  });
});

describe("the wire", () => {
  test("with sendAheadMs is sent ahead by that much, from the start and after each interruption", async () => {
    const call = createFakeCall({ clears: true, port: { sendAheadMs: 100 } });
    const writer = call.transport.output.getWriter();
    void writer.write(steady(1, 2_000));
    await settle();
    expect(call.sent.length).toBe(5);
    await call.clock.advance(1_000);
    expect(mostAhead(call)).toBe(100);
    expect(call.sent.length).toBe(55);
    call.transport.interrupt();
    const before = call.sent.length;
    void writer.write(steady(2, 2_000));
    await settle();
    expect(call.sent.length - before).toBe(5);
    await call.clock.advance(3_000);
    expect(call.sentAudio()[1]).toEqual([2, 2_000]);
  });

  test("with sendAheadMs gets the last, padded frame before its buffer is empty", async () => {
    const { transport, clock, sent } = createFakeCall({ port: { sendAheadMs: 100 } });
    void transport.output.getWriter().write(steady(1, 190));
    await clock.advance(1_000);
    const start = sent[0]?.atMs ?? 0;
    expect(sent.length).toBe(10);
    for (const [index, { atMs }] of sent.entries()) expect(atMs - start).toBeLessThan(Math.max(1, index * 20));
  });

  test("with sendAheadMs gets no padding while audio is left in its buffer", async () => {
    const { transport, clock, sentAudio } = createFakeCall({ port: { sendAheadMs: 100 } });
    const writer = transport.output.getWriter();
    for (let index = 0; index < 20; index++) {
      void writer.write(steady(3, index === 0 ? 110 : 50));
      await clock.advance(50);
    }
    await clock.advance(500);
    expect(sentAudio()).toEqual([[3, 1_060]]);
  });

  test("with continuous gets a frame every frameMs, silence while nothing is played", async () => {
    const { transport, clock, sent, sentAudio, caller } = createFakeCall({ port: { continuous: true, frameMs: 40 } });
    await clock.advance(400);
    expect(sent.length).toBe(10);
    void transport.output.getWriter().write(steady(3, 100));
    await clock.advance(600);
    expect(sent.length).toBe(25);
    expect(sent.every(({ atMs }, index) => atMs - 1_000 === (index + 1) * 40)).toBe(true);
    expect(sentAudio().map(([value]) => value)).toEqual([0, 3, 0]);
    expect(sentAudio()[1]).toEqual([3, 100]);
    caller.left();
    expect(clock.timers).toBe(1); // of hanging up
    await clock.advance(1);
    expect(clock.timers).toBe(0);
  });

  test("has no timer while nothing is played", async () => {
    const { transport, clock } = createFakeCall();
    expect(clock.timers).toBe(0);
    void transport.output.getWriter().write(steady(1, 100));
    await settle();
    expect(clock.timers).toBe(1);
    await clock.advance(400);
    expect(clock.timers).toBe(0);
  });
});

describe("botStartedSpeaking and botStoppedSpeaking", () => {
  function listen({ transport, clock }: FakeCall): [string, number][] {
    const events: [string, number][] = [];
    transport.on("botStartedSpeaking", () => events.push(["started", clock.now() - 1_000]));
    transport.on("botStoppedSpeaking", () => events.push(["stopped", clock.now() - 1_000]));
    return events;
  }

  test("are emitted with the first audio, and 200 ms after the last was played", async () => {
    const call = createFakeCall();
    const events = listen(call);
    void call.transport.output.getWriter().write(steady(1, 500));
    await call.clock.advance(2_000);
    expect(events).toEqual([
      ["started", 0],
      ["stopped", 700],
    ]);
  });

  test("are not emitted for a gap of up to 200 ms, and are for a longer one", async () => {
    const call = createFakeCall();
    const events = listen(call);
    const writer = call.transport.output.getWriter();
    void writer.write(steady(1, 100));
    await call.clock.advance(260);
    void writer.write(steady(1, 100));
    await call.clock.advance(1_000);
    expect(events.map(([event]) => event)).toEqual(["started", "stopped"]);
    expect(call.transport.counters.outputGaps).toBe(1);
    void writer.write(steady(1, 100));
    await call.clock.advance(1_000);
    expect(events.map(([event]) => event)).toEqual(["started", "stopped", "started", "stopped"]);
  });

  test("are emitted for silence between utterances on a continuous wire too", async () => {
    const call = createFakeCall({ port: { continuous: true } });
    const events = listen(call);
    void call.transport.output.getWriter().write(steady(1, 100));
    await call.clock.advance(1_000);
    expect(events.map(([event]) => event)).toEqual(["started", "stopped"]);
  });

  test.each(["interrupt", "close"] as const)(
    "may %s the audio that starts: a continuous wire gets no frame of silence in the same tick",
    async (act) => {
      const call = createFakeCall({ clears: true, port: { continuous: true } });
      const sentBefore: number[] = [];
      call.transport.on("botStartedSpeaking", () => {
        sentBefore.push(call.sent.length);
        if (act === "interrupt") call.transport.interrupt();
        else void call.transport.close("bot-failed");
      });
      void call.transport.output.getWriter().write(steady(1, 100));
      await call.clock.advance(35);
      expect(sentBefore).toEqual([call.sent.length]);
      void call.transport.close("bot-failed");
    },
  );

  test("are emitted at once for an interruption and for the end of the call", async () => {
    const call = createFakeCall();
    const events = listen(call);
    const writer = call.transport.output.getWriter();
    void writer.write(steady(1, 1_000));
    await call.clock.advance(300);
    call.transport.interrupt();
    void writer.write(steady(1, 1_000));
    await call.clock.advance(300);
    call.caller.left();
    expect(events.map(([event]) => event)).toEqual(["started", "stopped", "started", "stopped"]);
    expect(events[1]?.[1]).toBe(300);
    expect(events[3]?.[1]).toBe(600);
  });
});
