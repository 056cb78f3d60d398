import type { AudioFrame } from "@pipecat-ts/audio";
import type { MediaPort } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { counting, createFakeCall, type FakeCall, steady, values } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

async function* gen(frames: Iterable<AudioFrame>): AsyncGenerator<AudioFrame> {
  yield* frames;
}

/** Records when promises settle, in ms since the start of the clock. */
function watch(call: FakeCall, promises: Readonly<Record<string, Promise<unknown>>>): Record<string, unknown> {
  const settled: Record<string, unknown> = {};
  for (const [name, promise] of Object.entries(promises)) {
    promise.then(
      () => (settled[name] = call.clock.now() - 1_000),
      (error) => (settled[name] = error),
    );
  }
  return settled;
}

function expectReleased({ clock }: FakeCall): void {
  expect(clock.timers).toBe(0);
}

describe("when the caller leaves", () => {
  test("the echo bot's pipe ends without an error, and the call ends", async () => {
    const call = createFakeCall();
    const reasons: unknown[] = [];
    call.transport.on("clientDisconnected", (reason) => reasons.push(reason));
    const piping = call.transport.input.pipeTo(call.transport.output);
    for (const frame of counting(1, 40)) call.caller.audio(frame);
    await call.clock.advance(300);
    const count = call.sent.length;
    call.caller.left();
    await piping;
    await expect(call.transport.closed).resolves.toBe("caller-left");
    await call.clock.advance(5_000);
    expect(call.sent.length).toBe(count);
    expect(reasons).toEqual(["caller-left"]);
    expect(call.hangUps).toEqual(["caller-left"]);
    expectReleased(call);
  });

  test("writes are discarded and close resolves, without errors", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    const before = Array.from({ length: 1_000 }, () => writer.write(steady(1, 20)));
    call.transport.play(gen(counting(1, 100)));
    const behind = writer.write(steady(1, 20));
    await call.clock.advance(100);
    call.caller.left("transport-failed");
    let settled = 0;
    for (const write of before) void write.then(() => settled++);
    await settle();
    expect(settled).toBeLessThan(900); // the event loop runs in between
    for (let turn = 0; turn < 10; turn++) await settle();
    expect(settled).toBe(1_000);
    await behind;
    for (const frame of counting(1, 20)) await writer.write(frame);
    await writer.close();
    await expect(call.transport.closed).resolves.toBe("transport-failed");
    expectReleased(call);
  });

  test("the current playback is interrupted, its source is canceled, and later playbacks end at once", async () => {
    const call = createFakeCall();
    let cancelled = 0;
    async function* speech() {
      try {
        for (;;) yield steady(1, 20);
      } finally {
        cancelled += 1;
      }
    }
    const playback = call.transport.play(speech());
    await call.clock.advance(1_000);
    call.caller.left();
    const { playedMs, interrupted } = await playback.done;
    expect(interrupted).toBe(true);
    expect(Math.abs(playedMs - 1_000)).toBeLessThanOrEqual(20);
    await settle();
    expect(cancelled).toBe(1);

    const source = new ReadableStream<AudioFrame>({ cancel: () => void cancelled++ });
    await expect(call.transport.play(source).done).resolves.toEqual({ playedMs: 0, interrupted: true });
    expect(cancelled).toBe(2);
    expect(call.transport.interrupt()).toEqual({ playedMs: 0, droppedMs: 0 });
  });

  test("right before or after an interruption, no timer remains although a pipe has acquired output", async () => {
    const call = createFakeCall();
    void new ReadableStream<AudioFrame>().pipeTo(call.transport.output);
    await settle();
    call.transport.interrupt();
    expect(call.clock.timers).toBe(1);
    call.caller.left();
    await call.transport.closed;
    await settle();
    expectReleased(call);
    call.transport.interrupt();
    expectReleased(call);
  });

  test("before the bot does anything, the call has ended", async () => {
    const call = createFakeCall({ connected: false, onOpen: (caller) => caller.left() });
    await expect(call.transport.closed).resolves.toBe("caller-left");
    expect(call.hangUps).toEqual(["caller-left"]);
    await call.transport.input.pipeTo(call.transport.output);
    await call.transport.close();
    await settle();
    expectReleased(call);
  });
});

describe("close", () => {
  test("plays out queued audio while a pipe has acquired output, and hangs up", async () => {
    const call = createFakeCall();
    const piping = call.transport.input.pipeTo(call.transport.output);
    for (const frame of counting(1, 9)) call.caller.audio(frame);
    await call.clock.advance(40);
    const settled = watch(call, { piping, close: call.transport.close(), closed: call.transport.closed });
    await call.clock.advance(100);
    expect(settled.closed).toBe(undefined);
    await call.clock.advance(200);
    expect(values(call.sentAudio())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(settled.close).toBe(settled.closed);
    expect(settled.closed).toBeGreaterThanOrEqual(180);
    expect(settled.closed).toBeLessThanOrEqual(220);
    await piping;
    await expect(call.transport.closed).resolves.toBe("bot-finished");
    expect(call.hangUps).toEqual(["bot-finished"]);
    expectReleased(call);
  });

  test("plays out writes that are not awaited and all queued playbacks, but nothing that is enqueued later", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    for (const frame of counting(1, 50)) void writer.write(frame);
    call.transport.play(gen([steady(100, 3_000)]));
    void writer.write(steady(101, 100));
    const closing = call.transport.close();
    void writer.write(steady(200, 100));
    const late = call.transport.play(gen([steady(201, 100)]));
    await call.clock.advance(5_000);
    await closing;
    expect(values(call.sentAudio())).toEqual([...counting(1, 50).map(({ samples }) => samples[0]), 100, 101]);
    expect(call.sentAudio().find(([value]) => value === 100)?.[1]).toBe(3_000);
    await expect(late.done).resolves.toEqual({ playedMs: 0, interrupted: true });
    expectReleased(call);
  });

  test("waits for the far end's mark, with a timeout", async () => {
    const call = createFakeCall({ clears: true, marks: true, port: { sendAheadMs: 1_000 } });
    call.transport.play(gen([steady(1, 500)]));
    const settled = watch(call, { closed: call.transport.close() });
    await call.clock.advance(1_500);
    expect(settled.closed).toBe(undefined);
    call.caller.played(call.marks.at(-1)?.mark ?? "");
    await settle();
    expect(settled.closed).toBe(1_500);

    const unresponsive = createFakeCall({ clears: true, marks: true, port: { sendAheadMs: 1_000 } });
    unresponsive.transport.play(gen([steady(1, 500)]));
    const unresponsiveSettled = watch(unresponsive, { closed: unresponsive.transport.close() });
    await unresponsive.clock.advance(10_000);
    expect(unresponsiveSettled.closed).toBeGreaterThanOrEqual(2_500);
    expect(unresponsiveSettled.closed).toBeLessThanOrEqual(2_550);
    expectReleased(unresponsive);
  });

  test("does not wait forever for a source that hangs or never ends, or for a caller who never connects", async () => {
    const hanging = createFakeCall();
    hanging.transport.play(new ReadableStream<AudioFrame>());
    const hung = watch(hanging, { closed: hanging.transport.close() });
    await hanging.clock.advance(10_000);
    expect(hung.closed).toBe(2_000);
    expect(hanging.warnings.length).toBe(1);

    const absent = createFakeCall({ connected: false });
    void absent.transport.output.getWriter().write(steady(1, 1_000));
    const missed = watch(absent, { closed: absent.transport.close() });
    await absent.clock.advance(10_000);
    expect(missed.closed).toBe(2_000);

    const endless = createFakeCall({ port: { frameMs: 1_000 } });
    endless.transport.play(
      (async function* () {
        for (;;) yield steady(1, 1_000);
      })(),
    );
    const cut = watch(endless, { closed: endless.transport.close() });
    await endless.clock.advance(700_000);
    expect(cut.closed).toBe(602_000);
    for (const call of [hanging, absent, endless]) expectReleased(call);
  });

  test("hangs up at once for any other reason, also during the playout", async () => {
    for (const reason of ["bot-failed", "shutdown", "ended-by-request", "caller-left"] as const) {
      const call = createFakeCall();
      void call.transport.output.getWriter().write(steady(1, 5_000));
      await call.clock.advance(100);
      await call.transport.close(reason);
      await expect(call.transport.closed).resolves.toBe(reason);
      expectReleased(call);
    }
    const call = createFakeCall();
    void call.transport.output.getWriter().write(steady(1, 5_000));
    const first = call.transport.close();
    await call.clock.advance(100);
    await call.transport.close("shutdown");
    await first;
    await expect(call.transport.closed).resolves.toBe("bot-finished"); // the first reason
    expectReleased(call);
  });

  test("ends early when the bot interrupts or the caller leaves", async () => {
    for (const end of [(call: FakeCall) => void call.transport.interrupt(), (call: FakeCall) => call.caller.left()]) {
      const call = createFakeCall();
      void call.transport.output.getWriter().write(steady(1, 5_000));
      call.transport.play(gen([steady(2, 5_000)]));
      const closing = call.transport.close();
      await call.clock.advance(100);
      end(call);
      await closing;
      expect(call.hangUps).toEqual(["bot-finished"]);
      expectReleased(call);
    }
  });

  test("has no effect the second time", async () => {
    const call = createFakeCall();
    await Promise.all([call.transport.close(), call.transport.close()]);
    await call.transport.close("bot-failed");
    call.caller.left();
    expect(call.hangUps).toEqual(["bot-finished"]);
    await expect(call.transport.closed).resolves.toBe("bot-finished");
  });

  test("resolves when the wire fails to close, or never closes", async () => {
    const failing = createFakeCall({ port: { close: () => Promise.reject(new Error("stuck")) } });
    await failing.transport.close();
    expect(failing.warnings.length).toBe(1);
    const never = createFakeCall({ port: { close: () => new Promise(() => undefined) } });
    const settled = watch(never, { closed: never.transport.close() });
    await never.clock.advance(10_000);
    expect(settled.closed).toBe(5_000);
    for (const call of [failing, never]) expectReleased(call);
  });

  test("closes input at once", async () => {
    const call = createFakeCall();
    void call.transport.output.getWriter().write(steady(1, 1_000));
    const reader = call.transport.input.getReader();
    void call.transport.close();
    await expect(reader.read()).resolves.toEqual({ done: true, value: undefined });
  });
});

describe("closing output", () => {
  test("resolves when all audio was played, and the call continues", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    for (const frame of counting(1, 50)) void writer.write(frame);
    const settled = watch(call, { output: writer.close(), closed: call.transport.closed });
    await call.clock.advance(3_000);
    expect(settled.output).toBeGreaterThanOrEqual(1_000);
    expect(settled.output).toBeLessThanOrEqual(1_040);
    expect(settled.closed).toBe(undefined);
    const playback = call.transport.play(gen([steady(100, 100)]));
    await call.clock.advance(500);
    await expect(playback.done).resolves.toEqual({ playedMs: 100, interrupted: false });
  });

  test("does not block a playback after a write that the closed stream rejected", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    void writer.write(steady(1, 1_000));
    void writer.close();
    await expect(writer.write(steady(2, 100))).rejects.toThrow(TypeError);
    const playback = call.transport.play(gen([steady(3, 100)]));
    await call.clock.advance(3_000);
    await expect(playback.done).resolves.toEqual({ playedMs: 100, interrupted: false });
    expect(values(call.sentAudio())).toEqual([1, 3]);
  });

  test("with abort drops written audio at once, and does not affect playbacks", async () => {
    const call = createFakeCall();
    const writer = call.transport.output.getWriter();
    const long = writer.write(steady(1, 600_000));
    await call.clock.advance(100);
    await writer.abort(new Error("no more"));
    await long;
    const count = call.sent.length;
    const playback = call.transport.play(gen([steady(3, 100)]));
    await call.clock.advance(3_000);
    await expect(playback.done).resolves.toEqual({ playedMs: 100, interrupted: false });
    expect(values(call.sentAudio()).slice(1)).toEqual([3]);
    expect(call.sent.length - count).toBe(5);

    const other = createFakeCall();
    other.transport.play(gen([steady(3, 1_000)]));
    const held = other.transport.output.getWriter();
    void held.write(steady(4, 1_000)).catch(() => undefined);
    await other.clock.advance(100);
    await held.abort(new Error("no more"));
    await other.clock.advance(3_000);
    expect(other.sentAudio()).toEqual([[3, 1_000]]);
  });

  test.each([0, 600_000])(
    "with abort does not cut off the end of a playback before %d ms of written audio",
    async (ms) => {
      const call = createFakeCall({ clears: true });
      const playback = call.transport.play(gen([steady(3, 500)]));
      await call.clock.advance(400);
      const writer = call.transport.output.getWriter();
      void writer.write(steady(4, ms)).catch(() => undefined);
      await call.clock.advance(0);
      const aborted = writer.abort(new Error("no more"));
      await call.clock.advance(2_000);
      await aborted;
      await expect(playback.done).resolves.toEqual({ playedMs: 500, interrupted: false });
      const heard = call.sentAudio();
      expect(heard[0]).toEqual([3, 500]);
      expect(heard.slice(1).every(([, durationMs]) => durationMs <= 20)).toBe(true);
    },
  );
});

describe("sendMessage", () => {
  test("sends messages to the wire, and rejects with the wire's error", async () => {
    const messages: unknown[] = [];
    const call = createFakeCall({
      port: {
        async sendMessage(message) {
          if (message === "big") throw new Error("too big");
          messages.push(message);
        },
      },
    });
    await call.transport.sendMessage({ a: 1 });
    await expect(call.transport.sendMessage("big")).rejects.toThrow("too big");
    expect(messages).toEqual([{ a: 1 }]);
    call.caller.left();
    await expect(call.transport.sendMessage({ a: 2 })).rejects.toThrow(expect.objectContaining({ code: "CALL_ENDED" }));
  });

  test("rejects with MESSAGES_UNSUPPORTED without support, and the rejection need not be handled", async () => {
    const call = createFakeCall();
    await expect(call.transport.sendMessage("x")).rejects.toThrow(
      expect.objectContaining({ code: "MESSAGES_UNSUPPORTED" }),
    );
    const unhandled: unknown[] = [];
    const listener = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listener);
    void call.transport.sendMessage("ignored");
    await settle();
    await settle();
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  });
});

test("a port whose extend throws is closed", () => {
  const closed: string[] = [];
  const port: Partial<MediaPort> = {
    extend() {
      throw new Error("no methods");
    },
    close: (reason) => void closed.push(reason),
  };
  expect(() => createFakeCall({ port })).toThrow("no methods");
  expect(closed).toEqual(["transport-failed"]);
});

test("a wire that cannot be opened leaves no timer", () => {
  const call = createFakeCall();
  expect(() =>
    createFakeCall({
      clock: call.clock,
      pacer: call.pacer,
      onOpen() {
        throw new Error("no wire");
      },
    }),
  ).toThrow("no wire");
  expect(call.clock.timers).toBe(0);
});
