import type { AudioFrame } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createFakeCall, type FakeCall, steady } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

async function* speech(...frames: AudioFrame[]): AsyncGenerator<AudioFrame> {
  yield* frames;
}

/** A far end, `delayMs` away, that plays in real time and reports its marks. */
/** `PortMedia.played` of a call. */
function playedOf(call: FakeCall): () => Promise<void> {
  return (call.transport as unknown as { played(): Promise<void> }).played;
}

function callFarEnd(delayMs: number, sendAheadMs = 200): FakeCall {
  let freeAtMs = 0;
  const call: FakeCall = createFakeCall({
    clears: true,
    port: {
      sendAheadMs,
      markEveryMs: 200,
      extend: ({ played }) => ({ played }),
      send(frame) {
        call.sent.push({ atMs: call.clock.now(), frame });
        freeAtMs = Math.max(freeAtMs, call.clock.now() + delayMs) + 20;
      },
      mark(mark) {
        call.marks.push({ atMs: call.clock.now(), mark });
        call.clock.after(Math.max(0, freeAtMs - call.clock.now()), () => call.caller.played(mark));
      },
    },
  });
  return call;
}

describe("marks with markEveryMs", () => {
  test("are requested at the first frame, every 200 ms, and when nothing more is queued", async () => {
    const call = callFarEnd(0);
    const playback = call.transport.play(speech(steady(1, 1_000)));
    await call.clock.advance(2_000);
    await expect(playback.done).resolves.toEqual({ playedMs: 1_000, interrupted: false });
    expect(call.sent).toHaveLength(50);
    expect(call.marks).toHaveLength(6);
  });

  for (const delayMs of [0, 60]) {
    test(`report what a far end ${delayMs} ms away has played, within 20 ms`, async () => {
      for (const passedMs of [107, 250, 500, 1_013]) {
        const call = callFarEnd(delayMs);
        const playback = call.transport.play(speech(steady(1, 3_000)));
        await call.clock.advance(passedMs);
        expect(Math.abs(playback.playedMs - (passedMs - delayMs))).toBeLessThanOrEqual(20);
      }
    });
  }

  test("trust a stalled far end for 200 ms at most", async () => {
    const call = createFakeCall({ clears: true, marks: true, port: { sendAheadMs: 1_000, markEveryMs: 200 } });
    const playback = call.transport.play(speech(steady(1, 3_000)));
    await call.clock.advance(20);
    call.caller.played(call.marks[0]?.mark ?? "");
    await call.clock.advance(1_500);
    expect(playback.playedMs).toBe(220);
  });

  test("that were not requested yet leave sent audio unplayed", async () => {
    const call = createFakeCall({ clears: true, marks: true, port: { sendAheadMs: 1_000, markEveryMs: 200 } });
    const playback = call.transport.play(speech(steady(1, 180)));
    await call.clock.advance(1);
    expect(call.sent).toHaveLength(9);
    expect(call.marks).toHaveLength(1);
    call.caller.played(call.marks[0]?.mark ?? "");
    expect(playback.playedMs).toBe(20);
  });

  test("report the end of audio that a bot writes in real time, one frame at a time", async () => {
    const call = callFarEnd(40);
    const writer = call.transport.output.getWriter();
    for (let n = 0; n < 30; n++) {
      void writer.write(steady(1, 20));
      await call.clock.advance(20);
    }
    let stopped = false;
    call.transport.on("botStoppedSpeaking", () => {
      stopped = true;
    });
    await call.clock.advance(600);
    expect(stopped).toBe(true);
    expect(call.marks.length).toBeLessThanOrEqual(8);
  });
});

describe("PortMedia.played", () => {
  test("waits until everything enqueued before was played, and delays later audio", async () => {
    const call = callFarEnd(0);
    void call.transport.output.getWriter().write(steady(1, 300));
    let heardAtMs = 0;
    const began = call.clock.now();
    const waiting = playedOf(call)().then(() => {
      heardAtMs = call.clock.now() - began;
    });
    call.transport.play(speech(steady(2, 100)));
    await call.clock.advance(1_000);
    await waiting;
    expect(heardAtMs).toBeGreaterThanOrEqual(300);
    expect(heardAtMs).toBeLessThanOrEqual(360);
    const second = call.sent.find(({ frame }) => frame.samples[0] === 2);
    expect((second?.atMs ?? 0) - began).toBeGreaterThanOrEqual(heardAtMs);
  });

  test("resolves at once when nothing is queued, when the bot is interrupted, and when the call is over", async () => {
    const call = callFarEnd(0);
    await playedOf(call)();
    void call.transport.output.getWriter().write(steady(1, 5_000));
    const interrupted = playedOf(call)();
    await call.clock.advance(100);
    call.transport.interrupt();
    await settle();
    await interrupted;
    call.transport.play(new ReadableStream<AudioFrame>());
    const over = playedOf(call)();
    const closing = call.transport.close("shutdown");
    await call.clock.advance(100);
    await Promise.all([over, closing, playedOf(call)()]);
  });
});
