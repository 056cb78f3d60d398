import { encodePcm16 } from "@pipecat-ts/audio";
import type { SpeechProgress } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { counting, createFakeCall, type FakeCall, steady, values } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

/** Records the speech events of a call in short form. */
function recordEvents({ transport }: FakeCall): string[] {
  const events: string[] = [];
  transport.on("botSpeechProgress", ({ id, text, heardText, ended }: SpeechProgress) => {
    events.push(`${id} ${heardText}|${text.slice(heardText.length)}${ended ? " ended" : ""}`);
  });
  transport.on("botInterrupted", () => void events.push("interrupted"));
  transport.on("botStoppedSpeaking", () => void events.push("stopped"));
  return events;
}

describe("a speech", () => {
  test("plays frames in the order in which they were written, and ends with what was heard", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    for (const frame of counting(1, 100)) void speech.write(frame);
    speech.text("Hello there.");
    expect(speech.writtenMs).toBe(2_000);
    await call.clock.advance(1_000);
    expect(speech.playedMs).toBeGreaterThan(900);
    expect(speech.heardText).toBe("Hello");
    const ending = speech.end();
    await call.clock.advance(1_100);
    expect(await ending).toEqual({ playedMs: 2_000, interrupted: false, heardText: "Hello there." });
    expect(await speech.done).toEqual(await ending);
    expect(values(call.sentAudio())).toEqual(counting(1, 100).map(({ samples }) => samples[0]));
    expect(speech.signal.aborted).toBe(false);
    expect(speech.droppedMs).toBe(0);
  });

  test("takes PCM bytes at a rate, in pieces that end anywhere, and keeps no reference to them", async () => {
    const call = createFakeCall({ port: { sampleRates: [24_000] } });
    const speech = call.transport.speak();
    const bytes = encodePcm16(Int16Array.from({ length: 480 * 5 }, (_, index) => 1_000 + (index % 7)));
    const piece = new Uint8Array(333);
    for (let offset = 0; offset < bytes.length; offset += piece.length) {
      const length = Math.min(piece.length, bytes.length - offset);
      piece.set(bytes.subarray(offset, offset + length));
      void speech.write(piece.subarray(0, length), 24_000);
    }
    piece.fill(0);
    expect(speech.writtenMs).toBeCloseTo(100, 6);
    void speech.end();
    await call.clock.advance(300);
    const sent = call.sent.flatMap(({ frame }) => [...frame.samples]);
    expect(sent).toEqual(Array.from({ length: 480 * 5 }, (_, index) => 1_000 + (index % 7)));
  });

  test("skips what is not audio, and reports it", async () => {
    const call = createFakeCall();
    const errors: string[] = [];
    call.transport.on("error", ({ message }) => void errors.push(message));
    const speech = call.transport.speak();
    void speech.write("UklGRg==" as never, 24_000);
    void speech.write(new Uint8Array(640), undefined as never);
    void speech.write(steady(4, 20));
    void speech.end();
    await call.clock.advance(200);
    expect(errors).toEqual([
      "A frame was skipped: it is a string, not an AudioFrame.",
      "A frame was skipped: its sampleRate is NaN, not an integer from 1000 to 192000 Hz.",
    ]);
    expect(call.transport.counters.outputInvalid).toBe(2);
    expect(call.sentAudio()).toEqual([[4, 20]]);
  });

  test("lets a source that awaits its writes run 200 ms ahead", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    let writtenMs = 0;
    void (async () => {
      for (let index = 0; index < 100; index++) {
        await speech.write(steady(1, 20));
        writtenMs += 20;
      }
    })();
    for (let passed = 0; passed < 1_000; passed += 100) {
      await settle();
      expect(writtenMs - passed).toBeGreaterThanOrEqual(160);
      expect(writtenMs - passed).toBeLessThanOrEqual(260);
      await call.clock.advance(100);
    }
  });

  test("takes its turn: audio before it is played first, and audio after it waits for its end", async () => {
    const call = createFakeCall();
    const { transport } = call;
    const writer = transport.output.getWriter();
    void writer.write(steady(1, 100));
    const speech = transport.speak();
    void writer.write(steady(3, 100));
    await call.clock.advance(500);
    expect(values(call.sentAudio())).toEqual([1]);
    void speech.write(steady(2, 100));
    await call.clock.advance(500);
    void speech.end();
    await call.clock.advance(500);
    expect(values(call.sentAudio())).toEqual([1, 2, 3]);
  });

  test("warns once about what is added after its end, and counts it", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    void speech.write(steady(1, 100));
    void speech.end();
    await speech.write(steady(2, 40));
    await speech.write(steady(2, 40));
    speech.text("In time.");
    await call.clock.advance(300);
    speech.text(" Too late.");
    expect(await speech.done).toEqual({ playedMs: 100, interrupted: false, heardText: "In time." });
    expect(speech.droppedMs).toBe(80);
    expect(call.transport.counters.outputStaleMs).toBe(80);
    expect(call.warnings).toEqual(["audio or text dropped: it was added to a speech after its end"]);
  });

  test("that is left open when the bot returns is played, and ended 2 s later", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    void speech.write(steady(1, 100));
    void call.transport.close();
    await call.clock.advance(1_900);
    expect(call.hangUps).toEqual([]);
    await call.clock.advance(400);
    expect(call.hangUps).toEqual(["bot-finished"]);
    expect(await speech.done).toMatchObject({ playedMs: 100, interrupted: true });
    expect(call.clock.timers).toBe(0);
  });
});

describe("an interrupted speech", () => {
  test("reports what was heard, and drops and counts what still comes", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    const pending = Array.from({ length: 50 }, () => speech.write(steady(1, 40)));
    speech.text("one two three four five six seven eight nine");
    await call.clock.advance(510);
    const { playedMs, droppedMs } = call.transport.interrupt();
    await Promise.all(pending); // settled at once, without time passing
    expect(playedMs).toBeGreaterThan(450);
    expect(playedMs).toBeLessThanOrEqual(510);
    expect(playedMs + droppedMs).toBeGreaterThan(1_980); // a frame may be on the wire
    expect(await speech.done).toEqual({ playedMs, interrupted: true, heardText: "one two" });
    expect(speech.signal.aborted).toBe(true);
    expect(speech.droppedMs).toBe(2_000 - playedMs);

    const count = call.sent.length;
    for (let index = 0; index < 5; index++) await speech.write(steady(2, 40));
    speech.text(" ten");
    expect(await speech.end()).toEqual(await speech.done);
    await call.clock.advance(1_000);
    expect(call.sent.length).toBe(count);
    expect(speech.droppedMs).toBe(2_200 - playedMs);
    expect(call.transport.counters.outputStaleMs).toBe(200);
    expect(call.warnings).toEqual([]); // late deltas are normal
  });

  test("does not keep a source busy that awaits its writes for ever", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    call.transport.interrupt();
    let turns = 0;
    let writes = 0;
    const timer = setInterval(() => turns++, 1);
    while (turns < 5) {
      await speech.write(steady(1, 20));
      writes += 1;
    }
    clearInterval(timer);
    expect(writes).toBeLessThan(2_000);
  });

  test("leaves the turn to the next one, which its listeners may start", async () => {
    const call = createFakeCall();
    const first = call.transport.speak();
    void first.write(steady(1, 500));
    first.text("Let me explain.");
    call.transport.on("botSpeechProgress", ({ id, ended }: SpeechProgress) => {
      if (id > 1 || !ended) return;
      const answer = call.transport.speak();
      void answer.write(steady(5, 100));
      void answer.end();
    });
    await call.clock.advance(200);
    const atMs = call.clock.now();
    call.transport.interrupt();
    await call.clock.advance(500);
    expect(call.sentAudio(atMs + 1)).toEqual([[5, 100]]);
  });

  test("reports its text before botStoppedSpeaking", async () => {
    const call = createFakeCall();
    const events = recordEvents(call);
    const speech = call.transport.speak();
    void speech.write(steady(1, 2_000));
    speech.text("one two ", { atMs: 0 });
    speech.text("three four", { atMs: 1_000 });
    void speech.end();
    await call.clock.advance(1_200);
    call.transport.interrupt();
    expect(events).toEqual([
      "1 one| two three four",
      "1 one two| three four",
      "interrupted",
      "1 one two| three four ended",
      "stopped",
    ]);
  });
});

describe("cancel", () => {
  test("drops the rest of a speech, also at the far end, and plays what follows", async () => {
    const call = createFakeCall({ clears: true });
    const events = recordEvents(call);
    const speech = call.transport.speak();
    void speech.write(steady(1, 2_000));
    const next = call.transport.speak();
    void next.write(steady(2, 100));
    void next.end();
    await call.clock.advance(500);
    const count = call.sent.length;
    speech.cancel();
    void speech.write(steady(3, 100));
    await settle();
    expect(call.clears).toEqual([call.clock.now()]);
    const { playedMs, interrupted } = await speech.done;
    expect(interrupted).toBe(true);
    expect(playedMs).toBeGreaterThan(450);
    expect(playedMs).toBeLessThan(520);
    expect(speech.signal.aborted).toBe(true);
    expect(speech.droppedMs).toBe(2_100 - playedMs);
    await call.clock.advance(500);
    expect(call.sent.slice(count).map(({ frame }) => frame.samples[0])).toEqual([2, 2, 2, 2, 2]);
    expect(await next.done).toEqual({ playedMs: 100, interrupted: false, heardText: "" });
    expect(events).not.toContain("interrupted");
  });

  test("of a speech that waits leaves the one that plays alone", async () => {
    const call = createFakeCall();
    const first = call.transport.speak();
    void first.write(steady(1, 400));
    void first.end();
    const second = call.transport.speak();
    void second.write(steady(2, 400));
    await call.clock.advance(300); // the second one is in the playout queue behind the first
    second.cancel();
    await call.clock.advance(1_000);
    expect(await first.done).toMatchObject({ playedMs: 400, interrupted: false });
    expect(await second.done).toMatchObject({ interrupted: true });
    const sentMs = (wanted: number) => call.sentAudio().find(([value]) => value === wanted)?.[1] ?? 0;
    expect(sentMs(1)).toBe(400);
    expect(sentMs(2)).toBeLessThanOrEqual(20);
  });

  test("of a speech that has ended and waits plays nothing of it before what follows", async () => {
    const call = createFakeCall();
    const first = call.transport.speak();
    void first.write(steady(1, 400));
    void first.end();
    const second = call.transport.speak();
    for (let index = 0; index < 20; index++) void second.write(steady(2, 40));
    void second.end();
    const third = call.transport.speak();
    void third.write(steady(3, 100));
    void third.end();
    await call.clock.advance(300);
    second.cancel();
    await call.clock.advance(1_000);
    expect(await second.done).toMatchObject({ interrupted: true });
    const [one, two, three] = call.sentAudio().filter(([value]) => value !== 0);
    expect([one, three ?? two]).toEqual([
      [1, 400],
      [3, 100],
    ]);
    expect(three ? two?.[1] : 0).toBeLessThanOrEqual(20);
  });

  test("of a speech that has nothing to play ends it at once", async () => {
    const call = createFakeCall();
    const speech = call.transport.speak();
    speech.cancel();
    expect(await speech.done).toEqual({ playedMs: 0, interrupted: true, heardText: "" });
    void call.transport.output.getWriter().write(steady(1, 20));
    await call.clock.advance(100);
    expect(call.sentAudio()).toEqual([[1, 20]]);
  });
});

describe("the text of a speech", () => {
  test("without audio is heard in its turn", async () => {
    const call = createFakeCall();
    const events = recordEvents(call);
    const first = call.transport.speak();
    void first.write(steady(1, 500));
    void first.end();
    const second = call.transport.speak();
    second.text("Only text.");
    void second.end();
    await call.clock.advance(300);
    expect(events).toEqual([]);
    await call.clock.advance(300);
    expect(events).toEqual(["2 Only text.| ended"]);
  });

  test("follows the marks of a far end that reports what it has played", async () => {
    const call = createFakeCall({ marks: true, clears: true, port: { sendAheadMs: 500 } });
    const speech = call.transport.speak();
    void speech.write(steady(1, 2_000));
    speech.text("one two three four five six seven eight");
    void speech.end();
    await call.clock.advance(1_000);
    expect([speech.playedMs, speech.heardText]).toEqual([0, ""]); // sent, and nothing is confirmed
    const mark = call.marks.findLast(({ atMs }) => atMs < 1_600)?.mark ?? "";
    call.caller.played(mark);
    const { playedMs } = call.transport.interrupt();
    expect(playedMs).toBeGreaterThan(500);
    expect(await speech.done).toMatchObject({
      playedMs,
      interrupted: true,
      heardText: expect.stringMatching(/^one two/),
    });
  });

  test("is heard at once in a call without audio output, word by word", async () => {
    const call = createFakeCall({ params: { audioOutEnabled: false } });
    const events = recordEvents(call);
    const speech = call.transport.speak();
    speech.text("Hello ");
    speech.text("there");
    await speech.write(steady(1, 500));
    expect(await speech.end()).toEqual({ playedMs: 0, interrupted: false, heardText: "Hello there" });
    expect(events).toEqual(["1 Hello| ", "1 Hello there| ended"]);
    expect(call.sent).toEqual([]);

    const interrupted = call.transport.speak();
    interrupted.text("One ");
    call.transport.play([] as never);
    call.transport.interrupt();
    interrupted.text("two.");
    expect(await interrupted.end()).toEqual({ playedMs: 0, interrupted: true, heardText: "One" });
  });

  test("is not heard after the call", async () => {
    const call = createFakeCall();
    call.caller.left();
    await call.clock.advance(10);
    const speech = call.transport.speak();
    speech.text("Anybody there?");
    await speech.write(steady(1, 20));
    expect(await speech.end()).toEqual({ playedMs: 0, interrupted: true, heardText: "" });
    expect(speech.signal.aborted).toBe(true);
  });
});
