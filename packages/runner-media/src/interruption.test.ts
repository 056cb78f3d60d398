import type { AudioFrame } from "@pipecat-ts/audio";
import type { Clock } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { counting, createFakeCall, type FakeCall, steady, values } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

const old = 1_000;
const fresh = 5_000;

async function* gen(frames: Iterable<AudioFrame>): AsyncGenerator<AudioFrame> {
  yield* frames;
}

type Transform = TransformStream<AudioFrame, AudioFrame>;

/** Pipes into `output` through three transforms, and returns the writer of the first. */
function threeTransforms({ transport }: FakeCall, make: () => Transform): WritableStreamDefaultWriter<AudioFrame> {
  const first = make();
  void first.readable.pipeThrough(make()).pipeThrough(make()).pipeTo(transport.output);
  return first.writable.getWriter();
}

/** Calls `act` in `ms`, then resolves. */
function later(clock: Clock, ms: number, act: () => void): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, () => {
      act();
      resolve();
    });
  });
}

/** Advances the clock in steps, so that transforms that need several turns of the event loop keep up. */
async function pass({ clock }: FakeCall, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5) {
    await clock.advance(5);
    for (let turn = 0; turn < 8; turn++) await settle();
  }
}

/** Asserts that old audio was sent before the interruption and not after it. */
function expectNoOldAudio(call: FakeCall, atMs: number, countBefore: number): void {
  const before = call.sent.slice(0, countBefore);
  const after = call.sent.slice(countBefore);
  expect(before.length).toBeGreaterThan(10);
  expect(after.filter(({ frame }) => (frame.samples[0] ?? 0) < fresh && frame.samples[0] !== 0)).toEqual([]);
  expect(after.every((entry) => entry.atMs >= atMs)).toBe(true);
}

test("a reply that a listener starts is not interrupted, and botInterrupted comes before the other events", async () => {
  const call = createFakeCall();
  const { transport } = call;
  const order: string[] = [];
  const replies: Promise<unknown>[] = [];
  const speech = transport.speak();
  transport.on("botSpeechProgress", ({ id, ended }) => {
    if (id === speech.id && ended) order.push("ended");
  });
  speech.text("Old words.");
  void speech.write(steady(old, 1_000));
  await call.clock.advance(505);
  transport.on("botStoppedSpeaking", () => order.push("stopped"));
  transport.on("botInterrupted", () => {
    order.push("interrupted");
    void transport.output.getWriter().write(steady(fresh, 100));
    const reply = transport.speak();
    void reply.write(steady(fresh + 1, 100));
    replies.push(reply.end(), transport.play(gen([steady(fresh + 2, 100)])).done);
  });
  const atMs = call.clock.now();
  transport.interrupt();
  expect(order).toEqual(["interrupted", "ended", "stopped"]);
  await call.clock.advance(1_000);
  expect(await Promise.all(replies)).toMatchObject([
    { playedMs: 100, interrupted: false },
    { playedMs: 100, interrupted: false },
  ]);
  expect(call.sentAudio(atMs)).toEqual([
    [fresh, 100],
    [fresh + 1, 100],
    [fresh + 2, 100],
  ]);
});

describe("audio from before an interruption is not sent after it, and new audio is:", () => {
  test("awaited writes", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    let value = old;
    let interrupted = false;
    const writing = (async () => {
      while (!interrupted) await writer.write(steady(value++, 20));
    })();
    await call.clock.advance(505);
    const count = call.sent.length;
    call.transport.interrupt();
    interrupted = true;
    await writing;
    for (const frame of counting(fresh, 10)) await writer.write(frame);
    await call.clock.advance(1_000);
    expectNoOldAudio(call, call.clock.now() - 1_000, count);
    expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 10).map(({ samples }) => samples[0]));
  });

  test("writes that are not awaited, and new ones right after", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    const writes = counting(old, 500).map((frame) => writer.write(frame));
    await call.clock.advance(505);
    const count = call.sent.length;
    const atMs = call.clock.now();
    call.transport.interrupt();
    const more = counting(fresh, 20).map((frame) => writer.write(frame));
    await Promise.all(writes); // settled at once, without time passing
    expect(call.clock.now()).toBe(atMs);
    await call.clock.advance(2_000);
    await Promise.all(more);
    expectNoOldAudio(call, atMs, count);
    expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 20).map(({ samples }) => samples[0]));
  });

  test("the same frame, written before and after", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    const frame = steady(9, 20);
    for (let index = 0; index < 100; index++) void writer.write(frame);
    await call.clock.advance(105);
    const count = call.sent.length;
    call.transport.interrupt();
    for (let index = 0; index < 10; index++) void writer.write(frame);
    await call.clock.advance(3_000);
    expect(call.sent.length - count).toBe(10);
  });

  test("play, and play again right after", async () => {
    const call = createFakeCall();
    const cancelled: string[] = [];
    async function* speech() {
      try {
        yield* counting(old, 500);
      } finally {
        cancelled.push("iterator");
      }
    }
    const stream = new ReadableStream<AudioFrame>({
      pull: (controller) => controller.enqueue(steady(old, 20)),
      cancel: () => void cancelled.push("stream"),
    });
    const unstarted = gen(counting(old, 100));
    const playing = call.transport.play(speech());
    const waiting = [call.transport.play(stream), call.transport.play(unstarted)];
    await call.clock.advance(505);
    const count = call.sent.length;
    const atMs = call.clock.now();
    const { playedMs } = call.transport.interrupt();
    const next = call.transport.play(gen(counting(fresh, 10)));
    await expect(playing.done).resolves.toEqual({ playedMs, interrupted: true });
    for (const { done } of waiting) await expect(done).resolves.toEqual({ playedMs: 0, interrupted: true });
    await settle();
    expect(cancelled.sort()).toEqual(["iterator", "stream"]);
    expect(await unstarted.next()).toEqual({ done: true, value: undefined });
    await call.clock.advance(2_000);
    expectNoOldAudio(call, atMs, count);
    await expect(next.done).resolves.toEqual({ playedMs: 200, interrupted: false });
    expect(playing.playedMs).toBe(playedMs);
  });

  test("a source of play that hangs, fails to stop, or continues to yield", async () => {
    const call = createFakeCall();
    let late: ((item: IteratorResult<AudioFrame>) => void) | undefined;
    const stubborn: AsyncIterable<AudioFrame> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise((resolve) => (late = resolve)),
        return: () => Promise.reject(new Error("will not stop")),
      }),
    };
    const playing = call.transport.play(stubborn);
    await call.clock.advance(100);
    call.transport.interrupt();
    await expect(playing.done).resolves.toEqual({ playedMs: 0, interrupted: true });
    const writer = call.transport.output.getWriter();
    void writer.write(steady(fresh, 40));
    await call.clock.advance(300);
    expect(call.sentAudio()).toEqual([[fresh, 40]]);
    late?.({ done: false, value: steady(old, 20) });
    await call.clock.advance(300);
    expect(call.sentAudio()).toEqual([[fresh, 40]]);
  });

  const delays: readonly [string, () => Transform][] = [
    ["plain", () => new TransformStream()],
    ["with large queues", () => new TransformStream({}, { highWaterMark: 500 }, { highWaterMark: 500 })],
    ["that await", () => new TransformStream({ transform: (frame, to) => settle().then(() => to.enqueue(frame)) })],
  ];
  for (const [name, make] of delays) {
    test(`a pipe through three transforms ${name}`, async () => {
      const call = createFakeCall();
      const writer = threeTransforms(call, make);
      for (const frame of counting(old, 400)) void writer.write(frame);
      await pass(call, 505);
      const count = call.sent.length;
      const atMs = call.clock.now();
      call.transport.interrupt();
      await pass(call, 1_000);
      for (const frame of counting(fresh, 20)) void writer.write(frame);
      await pass(call, 1_000);
      expectNoOldAudio(call, atMs, count);
      expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 20).map(({ samples }) => samples[0]));
    });
  }

  test("a pipe through three transforms that take 4 ms per frame", async () => {
    const call = createFakeCall();
    const { clock } = call;
    const writer = threeTransforms(
      call,
      () => new TransformStream({ transform: (frame, to) => later(clock, 4, () => to.enqueue(frame)) }),
    );
    for (const frame of counting(old, 400)) void writer.write(frame);
    await clock.advance(505);
    const count = call.sent.length;
    const atMs = clock.now();
    call.transport.interrupt();
    await clock.advance(4_000);
    expect(call.sent.length).toBe(count);
    for (const frame of counting(fresh, 20)) void writer.write(frame);
    await clock.advance(2_000);
    expectNoOldAudio(call, atMs, count);
    expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 20).map(({ samples }) => samples[0]));
  });

  test("a pipe of long frames every 40 ms, and one of short frames in real time", async () => {
    const long = createFakeCall();
    const slow = new TransformStream<AudioFrame, AudioFrame>({
      transform: (frame, to) => later(long.clock, 40, () => to.enqueue(frame)),
    });
    void slow.readable.pipeTo(long.transport.output);
    const writer = slow.writable.getWriter();
    for (let index = 0; index < 60; index++) void writer.write(steady(old, 100));
    await long.clock.advance(1_000);
    const count = long.sent.length;
    long.transport.interrupt();
    await long.clock.advance(4_000);
    expect(long.sent.length).toBe(count);

    const short = createFakeCall();
    const through = new TransformStream<AudioFrame, AudioFrame>();
    void through.readable.pipeTo(short.transport.output);
    const shortWriter = through.writable.getWriter();
    for (let index = 0; index < 100; index++) {
      void shortWriter.write(steady(old + index, 8));
      if (index === 50) short.transport.interrupt();
      await short.clock.advance(8);
    }
    await short.clock.advance(300);
    const dropped = 100 - values(short.sentAudio()).length;
    expect(dropped).toBeLessThan(10); // 40 ms were queued
  });

  test("a pipe in a process that was stopped, which does not count as a pause of the pipe", async () => {
    const call = createFakeCall();
    const { clock } = call;
    const writer = threeTransforms(
      call,
      () => new TransformStream({ transform: (frame, to) => later(clock, 1, () => to.enqueue(frame)) }),
    );
    for (const frame of counting(old, 400)) void writer.write(frame);
    await clock.advance(505);
    const count = call.sent.length;
    call.transport.interrupt();
    for (let stop = 0; stop < 50; stop++) {
      await clock.advance(11);
      await clock.stall(30);
    }
    expect(call.sent.length).toBe(count);
  });

  test("a real-time pipe on a busy machine without pauses, after 500 ms", async () => {
    const call = createFakeCall();
    void call.transport.input.pipeTo(call.transport.output);
    for (let index = 0; index < 100; index++) {
      call.caller.audio(steady(old + index, 20));
      if (index === 40) call.transport.interrupt();
      await call.clock.stall(20);
    }
    await call.clock.advance(500);
    const sent = values(call.sentAudio());
    expect(sent).toContain(old + 35);
    expect(sent.filter((value) => value > old + 40 && value < old + 60)).toEqual([]);
    expect(sent.filter((value) => value >= old + 70)).toEqual(counting(old + 70, 30).map(({ samples }) => samples[0]));
  });

  test("a pipe with 10 minutes of writes that are not awaited", async () => {
    const call = createFakeCall();
    const writer = threeTransforms(call, () => new TransformStream());
    const frame = steady(old, 20);
    const writes = Array.from({ length: 30_000 }, () => writer.write(frame));
    await call.clock.advance(505);
    const count = call.sent.length;
    const atMs = call.clock.now();
    call.transport.interrupt();
    await Promise.all(writes);
    await call.clock.advance(50);
    void writer.write(steady(fresh, 20));
    await call.clock.advance(1_000);
    expectNoOldAudio(call, atMs, count);
    expect(values(call.sentAudio()).at(-1)).toBe(fresh);
  }, 60_000);

  test("a pipe without end or pause, after 15 minutes of it were dropped, while the event loop runs", async () => {
    const call = createFakeCall();
    let pulled = 0;
    const endless = new ReadableStream<AudioFrame>({
      pull: (controller) => controller.enqueue(steady(pulled++ % 20_000, 1_000)),
    });
    const stop = new AbortController();
    const pipe = endless.pipeTo(call.transport.output, stop).catch(() => undefined);
    await call.clock.advance(2_500);
    const before = pulled;
    call.transport.interrupt();
    for (let turn = 0; turn < 20; turn++) await settle();
    await call.clock.advance(2_500);
    expect(pulled - before).toBeGreaterThanOrEqual(900);
    expect(pulled - before).toBeLessThan(910);
    expect(values(call.sentAudio()).at(-1)).toBeGreaterThan(900);
    call.caller.left();
    stop.abort();
    await pipe;
  });

  test("a real-time pipe continues with its next frame", async () => {
    const call = createFakeCall();
    void call.transport.input.pipeThrough(new TransformStream()).pipeTo(call.transport.output);
    for (let index = 0; index < 100; index++) {
      call.caller.audio(steady(old + index, 20));
      if (index === 50) call.transport.interrupt();
      await call.clock.advance(20);
    }
    await call.clock.advance(500);
    const sent = values(call.sentAudio());
    expect(sent.length).toBeGreaterThanOrEqual(96);
    expect(sent.at(-1)).toBe(old + 99);
  });

  test("an echo that was blocked drops the caller's earlier audio", async () => {
    const call = createFakeCall();
    void call.transport.input.pipeTo(call.transport.output);
    for (const frame of counting(old, 40)) call.caller.audio(frame); // 800 ms at once; 500 ms are buffered
    await call.clock.advance(105);
    const count = call.sent.length;
    call.transport.interrupt();
    await call.clock.advance(20);
    call.caller.audio(steady(fresh, 20));
    await call.clock.advance(1_000);
    expect(values(call.sentAudio()).slice(count)).toEqual([fresh]);
  });

  test("the next pipe, which starts as soon as the interrupted one ends", async () => {
    for (const cached of [true, false]) {
      const call = createFakeCall();
      const { output } = call.transport;
      const write = (frames: AudioFrame[]) =>
        ReadableStream.from(frames)
          .pipeThrough(new TransformStream())
          .pipeTo(cached ? output : call.transport.output, { preventClose: true });
      const writing = (async () => {
        await write(counting(old, 200));
        await write(counting(fresh, 20));
      })();
      await call.clock.advance(505);
      const count = call.sent.length;
      const atMs = call.clock.now();
      call.transport.interrupt();
      await call.clock.advance(2_000);
      await writing;
      expectNoOldAudio(call, atMs, count);
      expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 20).map(({ samples }) => samples[0]));
    }
  });

  test("the next pipe, after the interrupted one took some turns of the event loop to end", async () => {
    const call = createFakeCall();
    async function* speech(frames: AudioFrame[]) {
      yield* frames;
      for (let turn = 0; turn < 3; turn++) await settle();
    }
    const write = (frames: AudioFrame[]) =>
      ReadableStream.from(speech(frames)).pipeTo(call.transport.output, { preventClose: true });
    void (async () => {
      await write(counting(old, 200));
      await write(counting(fresh, 20));
    })();
    await call.clock.advance(505);
    const count = call.sent.length;
    call.transport.interrupt();
    for (let turn = 0; turn < 10; turn++) await settle();
    await call.clock.advance(2_000);
    expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 20).map(({ samples }) => samples[0]));
  });

  test("play and a writer of output, while an interrupted pipe still writes", async () => {
    const call = createFakeCall();
    const writer = threeTransforms(call, () => new TransformStream());
    const writes = counting(old, 400).map((frame) => writer.write(frame));
    await call.clock.advance(505);
    const count = call.sent.length;
    call.transport.interrupt();
    call.transport.play(gen(counting(fresh, 10)));
    await Promise.all(writes);
    await call.clock.advance(1_000);
    expect(values(call.sentAudio()).slice(count)).toEqual(counting(fresh, 10).map(({ samples }) => samples[0]));
  });

  test("the resampler's tail and half a frame", async () => {
    const call = createFakeCall({ port: { sampleRates: [24_000] } });
    const writer = call.transport.output.getWriter();
    for (let index = 0; index < 20; index++) void writer.write(steady(8_000, 33));
    await call.clock.advance(250);
    const count = call.sent.length;
    call.transport.interrupt();
    await settle();
    void writer.write(steady(0, 100));
    await call.clock.advance(1_000);
    const after = call.sent.slice(count);
    expect(after.length).toBe(5);
    expect(after.every(({ frame }) => frame.samples.every((sample) => sample === 0))).toBe(true);
  });
});

describe("interrupt", () => {
  test("clears the far end and does nothing else when nothing is played", () => {
    const call = createFakeCall({ clears: true });
    expect(call.transport.interrupt()).toEqual({ playedMs: 0, droppedMs: 0 });
    expect(call.clears.length).toBe(1);
  });

  test("settles a write that waits for a playback, and a write of 10 minutes", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    call.transport.play(gen(counting(old, 500)));
    const behind = writer.write(steady(old, 20));
    await call.clock.advance(100);
    call.transport.interrupt();
    await behind;
    const long = writer.write(steady(old, 600_000));
    await call.clock.advance(100);
    call.transport.interrupt();
    await long;
    const closing = writer.close();
    await closing;
  });

  test("settles a close that waits for queued audio", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    void writer.write(steady(old, 150));
    const closing = writer.close();
    await call.clock.advance(100);
    call.transport.interrupt();
    await closing;
  });

  test("can be called in a listener of the utterance that it interrupts", async () => {
    const call = createFakeCall();
    call.transport.on("botStartedSpeaking", () => {
      call.transport.interrupt();
      call.transport.play(gen(counting(fresh, 3)));
    });
    const off = call.transport.on("botStartedSpeaking", () => off());
    const writer = call.transport.output.getWriter();
    void writer.write(steady(old, 1_000));
    await call.clock.advance(20);
    expect(call.sent.length).toBeLessThanOrEqual(2);
    call.caller.left();
  });

  test("allows new audio from the source that it cancels, and from a listener of botStoppedSpeaking", async () => {
    const call = createFakeCall({ clears: true });
    const writer = call.transport.output.getWriter();
    call.transport.play(
      new ReadableStream<AudioFrame>({
        pull: (controller) => controller.enqueue(steady(old, 20)),
        cancel: () => void writer.write(steady(fresh, 40)),
      }),
    );
    const off = call.transport.on("botStoppedSpeaking", () => {
      off();
      call.transport.play(gen([steady(fresh + 1, 40)]));
    });
    await call.clock.advance(500);
    const count = call.sent.length;
    call.transport.interrupt();
    await call.clock.advance(500);
    expect(values(call.sentAudio()).slice(1).sort()).toEqual([fresh, fresh + 1]);
    expect(call.sent.length - count).toBe(4);
  });

  const wires: readonly [string, Parameters<typeof createFakeCall>[0]][] = [
    ["without a clear", {}],
    ["in frames of 40 ms", { port: { frameMs: 40 } }],
    ["that is sent ahead 100 ms and clears", { clears: true, port: { sendAheadMs: 100 } }],
    ["that is continuous", { clears: true, port: { continuous: true } }],
    ["at another rate", { clears: true, port: { sampleRates: [8_000] } }],
  ];
  for (const [name, options] of wires) {
    test(`returns playedMs within 20 ms by the send clock, over a wire ${name}`, async () => {
      for (const passedMs of [0, 7, 100, 333, 1_000, 1_999, 3_000]) {
        for (const how of ["written", "played"]) {
          const call = createFakeCall(options);
          const writer = call.transport.output.getWriter();
          const frames = [steady(1, 1_990)];
          if (how === "written") void writer.write(frames[0] as AudioFrame);
          else call.transport.play(gen(frames));
          await call.clock.advance(passedMs);
          const startMs = call.sent.find(({ frame }) => frame.samples[0] !== 0)?.atMs ?? call.clock.now();
          const expectedMs = Math.min(1_990, call.clock.now() - startMs);
          const { playedMs, droppedMs } = call.transport.interrupt();
          if (passedMs < 2_200) expect(Math.abs(playedMs - expectedMs)).toBeLessThanOrEqual(20);
          else expect(playedMs).toBe(0); // the utterance is over
          const sentMs =
            call.sent.filter(({ frame }) => frame.samples[0] !== 0).length * (options?.port?.frameMs ?? 20);
          expect(playedMs).toBeLessThanOrEqual(sentMs);
          if (passedMs < 1_900)
            expect(Math.abs(playedMs + droppedMs - 1_990)).toBeLessThanOrEqual(options?.clears ? 0.01 : 40);
        }
      }
    });
  }

  /** A far end that plays in real time, reports its marks, and returns the remaining ones when it is cleared. */
  function playFarEnd(options: Parameters<typeof createFakeCall>[0], delayMs: number) {
    let freeAtMs = 0;
    let call: FakeCall | undefined;
    const frameMs = options?.port?.frameMs ?? 20;
    let pending: string[] = [];
    call = createFakeCall({
      ...options,
      port: {
        sendAheadMs: 200,
        ...options?.port,
        clear() {
          const returned = pending;
          pending = [];
          freeAtMs = 0;
          call?.clock.after(delayMs, () => {
            for (const mark of returned) call?.caller.played(mark);
          });
        },
        mark(mark) {
          const { clock, caller } = call as FakeCall;
          freeAtMs = Math.max(freeAtMs, clock.now() + delayMs) + frameMs;
          pending.push(mark);
          clock.after(freeAtMs - clock.now(), () => {
            if (!pending.includes(mark)) return;
            pending = pending.filter((other) => other !== mark);
            caller.played(mark);
          });
        },
      },
    });
    return call;
  }

  for (const [frameMs, delayMs] of [
    [20, 0],
    [20, 60],
    [40, 0],
    [40, 60],
  ] as const) {
    test(`returns playedMs within 20 ms by the marks of a far end ${delayMs} ms away, with frames of ${frameMs} ms`, async () => {
      for (const passedMs of [30, 107, 500, 1_013, 1_555]) {
        const call = playFarEnd({ port: { frameMs } }, delayMs);
        const playback = call.transport.play(gen([steady(1, 3_000)]));
        await call.clock.advance(passedMs);
        const expectedMs = Math.max(0, passedMs - delayMs);
        const { playedMs, droppedMs } = call.transport.interrupt();
        expect(Math.abs(playedMs - expectedMs)).toBeLessThanOrEqual(20 + (expectedMs < frameMs ? frameMs - 20 : 0));
        expect(playedMs + droppedMs).toBeCloseTo(3_000, 3);
        await call.clock.advance(delayMs + 1); // the cleared marks are returned
        expect(playback.playedMs).toBe(playedMs);

        const next = call.transport.play(gen([steady(2, 1_000)]));
        await call.clock.advance(500);
        expect(Math.abs(next.playedMs - Math.max(0, 500 - delayMs))).toBeLessThanOrEqual(20);
        await call.clock.advance(1_000);
        await expect(next.done).resolves.toEqual({ playedMs: 1_000, interrupted: false });
      }
    });
  }

  test("counts only audio as played that a stalled far end has reported", async () => {
    for (const frameMs of [20, 40]) {
      const call = createFakeCall({ clears: true, marks: true, port: { sendAheadMs: 1_000, frameMs } });
      const playback = call.transport.play(gen([steady(1, 3_000)]));
      await call.clock.advance(700);
      expect(playback.playedMs).toBe(0);
      call.caller.played(call.marks[4]?.mark ?? "");
      for (const mark of ["nonsense", "99999", "-1", "5.5", ""]) call.caller.played(mark);
      await call.clock.advance(500);
      const { playedMs, droppedMs } = call.transport.interrupt();
      expect(playedMs).toBeGreaterThanOrEqual(5 * frameMs);
      expect(playedMs).toBeLessThanOrEqual(5 * frameMs + 20);
      expect(playedMs + droppedMs).toBeCloseTo(3_000, 3);
    }
  });

  test("is not needed for an utterance without marks: it ends 2 s after it must have been played", async () => {
    const call = createFakeCall({ clears: true, marks: true });
    const events: string[] = [];
    call.transport.on("botStoppedSpeaking", () => events.push("stopped"));
    const playback = call.transport.play(gen([steady(1, 300)]));
    await call.clock.advance(2_250);
    expect(events).toEqual([]);
    await call.clock.advance(100);
    await expect(playback.done).resolves.toEqual({ playedMs: 300, interrupted: false });
    expect(events).toEqual(["stopped"]);
  });

  test("does not count audio as played that the wire did not send", async () => {
    let bufferedBytes = 0;
    const call = createFakeCall({ port: { bufferedBytes: () => bufferedBytes } });
    const playback = call.transport.play(gen([steady(1, 2_000)]));
    await call.clock.advance(500);
    bufferedBytes = 2 ** 21;
    await call.clock.advance(500);
    bufferedBytes = 0;
    await call.clock.advance(200);
    expect(Math.abs(playback.playedMs - 700)).toBeLessThanOrEqual(20);
    expect(Math.abs(call.transport.interrupt().playedMs - 700)).toBeLessThanOrEqual(20);

    void call.transport.output.getWriter().write(steady(1, 2_000));
    await call.clock.advance(500);
    bufferedBytes = 2 ** 21;
    await call.clock.advance(500);
    expect(Math.abs(call.transport.interrupt().playedMs - 500)).toBeLessThanOrEqual(20);
  });

  test("does not count audio as lost before its time has come, or for another playback", async () => {
    let bufferedBytes = 0;
    const call = createFakeCall({ port: { sendAheadMs: 160, bufferedBytes: () => bufferedBytes } });
    const [first, second] = [1, 2].map((value) => call.transport.play(gen([steady(value, 500)])));
    await call.clock.advance(300);
    const playedMs = first?.playedMs ?? 0;
    bufferedBytes = 2 ** 21;
    await call.clock.advance(60);
    expect(first?.playedMs).toBe(playedMs + 60);
    bufferedBytes = 0;
    await call.clock.advance(2_000);
    expect(call.transport.counters.outputDropped).toBe(3);
    // The audio from 460 to 520 ms.
    expect((await first?.done)?.playedMs).toBe(460);
    expect((await second?.done)?.playedMs).toBe(480);
  });

  test("returns playedMs of the current utterance only", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    void writer.write(steady(1, 1_000));
    await call.clock.advance(2_000);
    void writer.write(steady(1, 1_000));
    await call.clock.advance(300);
    expect(Math.abs(call.transport.interrupt().playedMs - 300)).toBeLessThanOrEqual(20);
  });

  test("returns playedMs of the current playback, without earlier audio", async () => {
    const call = createFakeCall();
    call.transport.play(gen([steady(1, 1_000)]));
    call.transport.play(gen([steady(2, 5_000)]));
    await call.clock.advance(3_000);
    expect(Math.abs(call.transport.interrupt().playedMs - 2_000)).toBeLessThanOrEqual(20);
  });

  test("is an event each time it is called, before the bot's utterance stops, and none after the call", async () => {
    const call = createFakeCall();
    const seen: string[] = [];
    for (const event of ["botStartedSpeaking", "botInterrupted", "botStoppedSpeaking"] as const)
      call.transport.on(event, () => seen.push(event));
    call.transport.play(gen([steady(1, 1_000)]));
    await call.clock.advance(500);
    call.transport.interrupt();
    call.transport.interrupt();
    await call.clock.advance(100);
    expect(seen).toEqual(["botStartedSpeaking", "botInterrupted", "botStoppedSpeaking", "botInterrupted"]);
    await call.transport.close("caller-left");
    call.transport.interrupt();
    expect(seen).toHaveLength(4);
  });

  test.each(["send", "mark"])(
    "when %s of the first frame fails, the utterance stops after it has started",
    async (fails) => {
      let isBroken = true;
      const fail = () => {
        if (isBroken) throw new Error("broken wire");
      };
      const call = createFakeCall({ clears: true, port: { [fails]: fail } });
      const order: string[] = [];
      call.transport.on("botStartedSpeaking", () => order.push("started"));
      call.transport.on("botStoppedSpeaking", () => order.push("stopped"));
      call.transport.on("error", () => {
        order.push("error");
        isBroken = false;
        call.transport.interrupt();
      });
      void call.transport.output.getWriter().write(steady(old, 500));
      await call.clock.advance(1_000);
      expect(order).toEqual(["started", "error", "stopped"]);
      expect(call.clock.timers).toBe(0);
    },
  );

  test("returns zero the second time in a row", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    for (const frame of counting(1, 500)) void writer.write(frame);
    await call.clock.advance(500);
    const first = call.transport.interrupt();
    expect(first.droppedMs).toBeGreaterThan(9_000);
    expect(call.transport.interrupt()).toEqual({ playedMs: 0, droppedMs: 0 });
  });
});
