import { AsyncLocalStorage } from "node:async_hooks";
import type { AudioFrame } from "@pipecat-ts/audio";
import {
  excerpt,
  findGaps,
  findSound,
  join,
  measureLevel,
  measurePitch,
  silence,
  sweep,
  syllables,
  tone,
} from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { createIncomingAudio } from "./incoming-audio.ts";
import { loadOpus } from "./opus.ts";
import { createIncomingFixture, decoderCreated, encodePackets, type IncomingFixture } from "./test/incoming-fixture.ts";
import { measureLossyNetwork } from "./test/lossy-network.ts";
import { createSteadyPacer } from "./test/steady-pacer.ts";

const received = (fixture: IncomingFixture) => join(fixture.frames.map(({ frame }) => frame));
const times = (fixture: IncomingFixture) => fixture.frames.map(({ atMs }) => atMs);

describe("timing", () => {
  test("returns a frame 20 ms after its packet, and none before the first packet", async () => {
    const fixture = await createIncomingFixture();
    fixture.pacer.advanceTo(5_000);
    expect(fixture.frames).toEqual([]);
    expect(fixture.pacer.timers).toBe(0);
    const packets = await encodePackets(tone(300, { durationMs: 200 }));
    for (const [index, payload] of packets.entries()) fixture.deliver(5_007 + index * 20, index, payload);
    fixture.pacer.advanceTo(5_207);
    expect(times(fixture)).toEqual(packets.map((_, index) => 5_027 + index * 20));
    for (const { frame } of fixture.frames) expect(frame).toMatchObject({ sampleRate: 16_000, channels: 1 });
    expect(fixture.frames.every(({ frame }) => frame.samples.length === 320)).toBe(true);
    expect(fixture.incoming.delayMs).toBe(20);
  });

  test("preserves the length, level and pitch of speech", async () => {
    const fixture = await createIncomingFixture();
    const speech = syllables(150, { durationMs: 4_000 });
    fixture.deliverAll(await encodePackets(speech));
    fixture.pacer.advanceTo(5_000);
    expect(received(fixture).samples.length).toBe(speech.samples.length);
    expect(Math.abs(measureLevel(received(fixture)) - measureLevel(speech))).toBeLessThan(1);
    expect((measurePitch(received(fixture)) ?? 0) / 150).toBeCloseTo(1, 2);
    expect(fixture.incoming.counters).toMatchObject({
      received: 200,
      frames: 200,
      lost: 0,
      concealedMs: 0,
      accelerated: 0,
    });
  });

  test.each([
    [8_000, 8_000],
    [11_025, 12_000],
    [22_050, 24_000],
    [48_000, 48_000],
    [96_000, 48_000],
  ])("for a bot that wants %i Hz, frames have %i Hz", async (wanted, actual) => {
    const fixture = await createIncomingFixture(wanted);
    fixture.deliverAll(await encodePackets(tone(300, { durationMs: 200, sampleRate: 16_000 })));
    expect(fixture.frames[0]?.frame.sampleRate).toBe(actual);
    expect(fixture.frames[0]?.frame.samples.length).toBe(actual / 50);
  });

  test("packets of 60 ms and 2.5 ms are split and joined to frames of 20 ms", async () => {
    const { createEncoder, Application } = await import("libopus-wasm");
    for (const packetMs of [60, 2.5]) {
      const options = {
        application: Application.Voip,
        sampleRate: 16_000,
        channels: 1,
        frameSize: packetMs * 16,
      } as const;
      const encoder = await createEncoder(options);
      const fixture = await createIncomingFixture();
      const speech = sweep(200, 3_000, { durationMs: 600 });
      for (let index = 0; index * packetMs < 600; index++) {
        const payload = encoder.encode(speech.samples.slice(index * packetMs * 16, (index + 1) * packetMs * 16));
        fixture.deliver(1_000 + index * packetMs, index, payload, { timestamp: index * packetMs * 48 });
      }
      encoder.free();
      fixture.pacer.advanceTo(1_640);
      const { correlation = 0 } = findSound(excerpt(speech, 40, 540), received(fixture)) ?? {};
      expect(correlation).toBeGreaterThan(0.9);
      expect(fixture.incoming.counters.concealedMs).toBe(0);
    }
  });
});

describe("bad networks", () => {
  test("with 5 % loss and 30 ms of jitter, at most the loss plus 1 % is restored or concealed", async () => {
    const figures = await measureLossyNetwork({ durationMs: 60_000, lossPercent: 5, jitterMs: 30 });
    expect(figures.lostPercent).toBeGreaterThan(4);
    expect(figures.concealedPercent).toBeLessThan(figures.lostPercent / 2); // FEC restores the rest.
    expect(figures.concealedPercent + figures.recoveredPercent).toBeLessThan(figures.lostPercent + 1);
    expect(figures.delayMs.mean).toBeLessThan(3 * 60);
    expect(Math.abs(figures.gainDb)).toBeLessThan(1);
    expect((measurePitch(figures.received) ?? 0) / 150).toBeCloseTo(1, 2);
  });

  test("with packet loss, the delay is long enough for the next packet's FEC", async () => {
    const figures = await measureLossyNetwork({ durationMs: 60_000, lossPercent: 5 });
    expect(figures.concealedPercent).toBeLessThan(1.5);
    expect(figures.recoveredPercent).toBeGreaterThan(3);
    expect(figures.delayMs.mean).toBeLessThanOrEqual(41);
  });

  test("jitter without loss adds delay only, and no more than the jitter", async () => {
    const figures = await measureLossyNetwork({ durationMs: 30_000, jitterMs: 60 });
    expect(figures.concealedPercent).toBeLessThan(1);
    expect(figures.delayMs.mean).toBeGreaterThan(60);
    expect(figures.delayMs.mean).toBeLessThan(100);
  });

  test.each([200, -200])("a clock skew of %i ppm for 5 minutes adds no delay and no gap", async (skewPpm) => {
    const { counters, delayMs, received } = await measureLossyNetwork({
      durationMs: 300_000,
      skewPpm,
      sampleRate: 8_000,
    });
    expect(counters.concealedMs).toBe(0);
    expect(delayMs.max).toBeLessThanOrEqual(40.1);
    // 60 ms in 5 minutes are three frames.
    expect(counters.accelerated + counters.expanded).toBeLessThanOrEqual(4);
    expect(counters.accelerated + counters.expanded).toBeGreaterThanOrEqual(2);
    expect(findGaps(received, { thresholdDb: -60, minimumMs: 40 })).toEqual([]);
  });

  test("the delay grows at once when packets are late, and shrinks afterwards", async () => {
    const fixture = await createIncomingFixture();
    const packets = await encodePackets(syllables(150, { durationMs: 30_000 }));
    const delays: number[] = [];
    const acceleratedLevels: number[] = [];
    for (const [index, payload] of packets.entries()) {
      const { accelerated } = fixture.incoming.counters;
      const lateMs = index >= 100 && index < 200 && index % 5 === 0 ? 70 : 0;
      const atMs = 1_000 + index * 20 + lateMs;
      fixture.deliver(Math.max(atMs, fixture.pacer.clock.now()), index, payload);
      delays.push(fixture.incoming.delayMs);
      const [last] = fixture.frames.slice(-1);
      if (last && fixture.incoming.counters.accelerated > accelerated) acceleratedLevels.push(measureLevel(last.frame));
    }
    expect(delays[99]).toBe(20);
    expect(Math.max(...delays.slice(100, 130))).toBeGreaterThanOrEqual(80);
    expect(delays.at(-1)).toBeLessThan(40);
    expect(fixture.incoming.counters.concealedMs).toBeLessThanOrEqual(100);
    expect(acceleratedLevels.length).toBeGreaterThan(0);
    expect(Math.max(...acceleratedLevels)).toBeLessThan(-30); // Between syllables.
  });

  test("a delay that is too long shrinks even if the caller never pauses, without a click or gap", async () => {
    const fixture = await createIncomingFixture();
    const speech = tone(330, { durationMs: 4_000 }); // 20 ms are 6.6 periods.
    for (const [index, payload] of (await encodePackets(speech)).entries()) {
      // Only the first packets are late, by up to 60 ms.
      const atMs = Math.max(1_000 + index * 20, index < 3 ? 1_060 : 0);
      fixture.deliver(atMs, index, payload);
    }
    expect(fixture.incoming.counters.accelerated).toBeGreaterThanOrEqual(1);
    expect(fixture.incoming.delayMs).toBeLessThan(60);
    expect(findGaps(excerpt(received(fixture), 20, 3_800), { thresholdDb: -20, minimumMs: 10 })).toEqual([]);
    const steps = excerpt(received(fixture), 20, 3_800).samples.map(
      (sample, index, all) => sample - (all[index - 1] ?? sample),
    );
    expect(Math.max(...steps)).toBeLessThan((1.5 * (2 * Math.PI * 330 * 8_200)) / 16_000);
  });

  test("after a network stall of 300 ms, the delayed packets are played at up to double speed", async () => {
    const fixture = await createIncomingFixture();
    for (const [index, payload] of (await encodePackets(tone(300, { durationMs: 3_000 }))).entries()) {
      const stalled = index >= 50 && index < 65;
      fixture.deliver(stalled ? 2_300 : 1_000 + index * 20, index, payload);
      if (index === 64) expect(fixture.incoming.counters.overflowed).toBe(0);
      if (index === 80) expect(fixture.incoming.delayMs).toBeLessThan(200);
    }
    expect(fixture.incoming.delayMs).toBeLessThanOrEqual(180);
    expect(fixture.incoming.counters.accelerated).toBeGreaterThan(6);
  });

  test("a lost packet is restored from the next packet's FEC when that arrives in time", async () => {
    const fixture = await createIncomingFixture();
    const speech = syllables(150, { durationMs: 2_000 });
    const packets = await encodePackets(speech);
    for (const [index, payload] of packets.entries()) {
      if (index === 50) continue; // At 1,000 ms, in the middle of a syllable.
      fixture.deliver(index < 50 ? 1_000 + index * 20 : 995 + index * 20, index, payload);
    }
    fixture.pacer.advanceTo(3_000);
    expect(fixture.incoming.counters).toMatchObject({ lost: 1, recoveredMs: 20, concealedMs: 0 });
    const loss = (audio: AudioFrame) => measureLevel(excerpt(audio, 1_000, 1_026));
    expect(Math.abs(loss(received(fixture)) - loss(speech))).toBeLessThan(3);
  });

  test("reordered packets are played in order, duplicates once", async () => {
    const fixture = await createIncomingFixture();
    const speech = sweep(200, 3_000, { durationMs: 1_000 });
    const packets = await encodePackets(speech);
    for (let index = 0; index < packets.length; index += 2) {
      const atMs = 1_000 + index * 20;
      for (const each of [index + 1, index, index + 1, index])
        fixture.deliver(atMs, each, packets[each] ?? new Uint8Array());
    }
    fixture.pacer.advanceTo(2_040);
    expect(fixture.incoming.counters).toMatchObject({ duplicate: packets.length, lost: 0, concealedMs: 0 });
    expect(findSound(excerpt(speech, 100, 800), received(fixture))?.correlation).toBeGreaterThan(0.95);
  });

  test("a packet that arrives after it was due is dropped and counted", async () => {
    const fixture = await createIncomingFixture();
    const packets = await encodePackets(tone(300, { durationMs: 400 }));
    const [late] = packets.splice(5, 1);
    packets.splice(5, 0, new Uint8Array()); // Missing when it is due.
    fixture.deliverAll(packets);
    fixture.deliver(1_420, 5, late ?? new Uint8Array());
    expect(fixture.incoming.counters).toMatchObject({ late: 1, lost: 1 });
  });
});

describe("streams that stop or start", () => {
  test("audio fades out within 120 ms when the caller stops sending, and is silent afterwards", async () => {
    const fixture = await createIncomingFixture();
    fixture.deliverAll(await encodePackets(tone(300, { durationMs: 1_000 })));
    fixture.pacer.advanceTo(4_000);
    expect(fixture.frames.length).toBe(150);
    expect(measureLevel(excerpt(received(fixture), 1_000, 1_040))).toBeGreaterThan(-30);
    expect(measureLevel(excerpt(received(fixture), 1_140, 3_000))).toBe(Number.NEGATIVE_INFINITY);
    expect(fixture.incoming.counters.concealedMs).toBe(0);
  });

  test("a pause in which timestamps advance keeps its length and adds no delay", async () => {
    for (const pausedFrames of [5, 20, 100]) {
      const fixture = await createIncomingFixture();
      const packets = await encodePackets(join([tone(300, { durationMs: 500 }), tone(300, { durationMs: 500 })]));
      for (const [index, payload] of packets.entries()) {
        const place = index < 25 ? index : index + pausedFrames;
        fixture.deliver(1_000 + place * 20, place, payload, { sequence: index });
      }
      fixture.pacer.advanceTo(2_000 + pausedFrames * 20);
      expect(fixture.frames.length).toBe(50 + pausedFrames);
      expect(fixture.incoming.counters).toMatchObject({ lost: 0, concealedMs: 0 });
      expect(fixture.incoming.delayMs).toBe(20);
    }
  });

  test("audio after a pause in which timestamps did not advance is played at once", async () => {
    const fixture = await createIncomingFixture();
    const packets = await encodePackets(tone(300, { durationMs: 2_000 }));
    for (const [index, payload] of packets.entries())
      fixture.deliver(1_000 + index * 20 + (index < 25 ? 0 : 3_000), index, payload);
    fixture.pacer.advanceTo(6_000);
    expect(measureLevel(excerpt(received(fixture), 3_560, 4_980))).toBeGreaterThan(-16);
    expect(fixture.incoming.counters).toMatchObject({ lost: 0, late: 0, stray: 0, concealedMs: 0 });
    expect(fixture.incoming.targetMs).toBe(20);
    expect(fixture.incoming.delayMs).toBeLessThanOrEqual(40);
  });

  test("a stream with other numbers takes over after restart() or with its second packet", async () => {
    for (const explicit of [true, false]) {
      const fixture = await createIncomingFixture();
      const packets = await encodePackets(tone(300, { durationMs: 1_000 }));
      fixture.deliverAll(packets);
      if (explicit) fixture.incoming.restart();
      await decoderCreated();
      for (const [index, payload] of packets.entries()) {
        const change = { sequence: index + 40_000, timestamp: index * 960 + 3_000_000_000 };
        fixture.deliver(2_000 + index * 20, index, payload, change);
      }
      fixture.pacer.advanceTo(3_000);
      expect(fixture.incoming.counters).toMatchObject({ stray: explicit ? 0 : 1, late: 0, lost: 0 });
      expect(measureLevel(excerpt(received(fixture), 1_060, 1_980))).toBeGreaterThan(-16);
      expect(fixture.incoming.delayMs).toBeLessThanOrEqual(40);
    }
  });

  test("close() stops the ticks and frees the decoder once", async () => {
    const opus = await loadOpus();
    const pacer = createSteadyPacer();
    const frames: unknown[] = [];
    const incoming = createIncomingAudio({
      opus,
      sampleRate: 16_000,
      pacer,
      onFrame: (frame) => frames.push(frame),
      onDecoderFailed: expect.fail,
    });
    incoming.push({ payload: Uint8Array.of(0xf8, 0xff, 0xfe), sequenceNumber: 1, timestamp: 1 });
    await decoderCreated();
    incoming.restart();
    await decoderCreated();
    expect(opus.live.decoders).toBe(1);
    incoming.restart(); // Still creating a decoder.
    incoming.close();
    incoming.close();
    incoming.push({ payload: Uint8Array.of(0xf8, 0xff, 0xfe), sequenceNumber: 2, timestamp: 961 });
    await decoderCreated();
    pacer.advanceTo(2_000);
    expect([opus.live.decoders, pacer.timers, frames.length]).toEqual([0, 0, 0]);
  });

  test("frames are returned in the asynchronous scope of createIncomingAudio", async () => {
    const scope = new AsyncLocalStorage<string>();
    const opus = await loadOpus();
    const scopes: unknown[] = [];
    const pacer = {
      ...createSteadyPacer(),
      every: () => {
        scopes.push(scope.getStore());
        return () => undefined;
      },
    };
    const incoming = scope.run("session", () =>
      createIncomingAudio({ opus, sampleRate: 16_000, pacer, onFrame: () => undefined, onDecoderFailed: expect.fail }),
    );
    scope.run("socket", () =>
      incoming.push({ payload: Uint8Array.of(0xf8, 0xff, 0xfe), sequenceNumber: 1, timestamp: 1 }),
    );
    incoming.close();
    expect(scopes).toEqual(["session"]);
  });
});

describe("junk", () => {
  /** Two frames of equal size in an odd number of bytes (RFC 6716, section 3.2.3). */
  const oddHalves = Uint8Array.of(0x41, 0xff);

  test("packets that are not Opus are counted, and the others are played", async () => {
    const fixture = await createIncomingFixture();
    const packets = await encodePackets(tone(300, { durationMs: 1_000 }));
    for (const [index, payload] of packets.entries()) {
      const bad = index % 10 === 3 ? new Uint8Array() : index % 10 === 6 ? oddHalves : payload;
      fixture.deliver(1_000 + index * 20, index, bad);
    }
    fixture.pacer.advanceTo(2_000);
    expect(fixture.incoming.counters).toMatchObject({ invalid: 5, undecodable: 5 });
    expect(measureLevel(excerpt(received(fixture), 40, 980))).toBeGreaterThan(-20);
  });

  test("of a thousand packets at once, the last 400 ms are played, and the delay does not grow", async () => {
    const fixture = await createIncomingFixture();
    const [payload = new Uint8Array()] = await encodePackets(silence({ durationMs: 20 }));
    for (let index = 0; index < 1_000; index++) fixture.deliver(1_000, index, payload);
    expect(fixture.incoming.counters.overflowed).toBe(980);
    for (let index = 1_000; index < 1_100; index++) fixture.deliver(1_020 + (index - 1_000) * 20, index, payload);
    expect(fixture.incoming.delayMs).toBeLessThanOrEqual(140);
    expect(fixture.frames.length).toBeLessThanOrEqual(100);
  });

  test("a packet with numbers far ahead changes nothing", async () => {
    const fixture = await createIncomingFixture();
    const packets = await encodePackets(tone(300, { durationMs: 1_000 }));
    for (const [index, payload] of packets.entries()) {
      fixture.deliver(1_000 + index * 20, index, payload);
      if (index === 20) fixture.deliver(1_401, 0, payload, { sequence: 30_000, timestamp: 2_000_000_000 });
      if (index === 30) fixture.deliver(1_601, 0, payload, { sequence: 31, timestamp: 9_000_000 });
    }
    fixture.pacer.advanceTo(2_000);
    expect(fixture.incoming.counters).toMatchObject({ stray: 2, late: 0, lost: 0, concealedMs: 0 });
    expect(fixture.incoming.delayMs).toBe(20);
  });

  test("random numbers and payloads do not throw, and are not buffered without bound", async () => {
    const fixture = await createIncomingFixture();
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let count = 0; count < 5_000; count++) {
      const payload = Uint8Array.from({ length: random(40) }, () => random(256));
      const change = { sequence: random(65_536), timestamp: random(2 ** 32) };
      fixture.deliver(
        1_000 + count * 5,
        0,
        payload,
        random(2) === 0 ? change : { sequence: count, timestamp: count * 240 },
      );
    }
    const { frames, received } = fixture.incoming.counters;
    expect(received).toBe(5_000);
    expect(frames).toBeGreaterThan(1_200);
    expect(frames).toBeLessThanOrEqual(1_250);
    expect(fixture.frames.every(({ frame }) => frame.samples.length === 320)).toBe(true);
  });
});

test("without a decoder, the failure is reported and frames are silent; a restart tries again", async () => {
  const pacer = createSteadyPacer();
  const opus = await loadOpus();
  const failure = new Error("out of memory");
  let fails = true;
  const createDecoder: typeof opus.createDecoder = async (options) => {
    if (fails) throw failure;
    return await opus.createDecoder(options);
  };
  const frames: AudioFrame[] = [];
  const failures: unknown[] = [];
  const incoming = createIncomingAudio({
    opus: { ...opus, createDecoder },
    sampleRate: 16_000,
    pacer,
    onFrame: (frame) => frames.push(frame),
    onDecoderFailed: (error) => failures.push(error),
  });
  const packets = await encodePackets(tone(300, { durationMs: 400 }));
  const speak = () => {
    for (const [sequenceNumber, payload] of packets.entries()) {
      incoming.push({ payload, sequenceNumber, timestamp: sequenceNumber * 960 });
      pacer.advanceTo(pacer.clock.now() + 20);
    }
  };
  speak();
  expect(failures).toEqual([failure]);
  expect(frames.length).toBe(packets.length);
  expect(measureLevel(join(frames))).toBe(Number.NEGATIVE_INFINITY);
  expect(incoming.counters.undecodable).toBe(packets.length);

  fails = false;
  incoming.restart();
  await decoderCreated();
  frames.length = 0;
  speak();
  expect(measurePitch(join(frames))).toBeCloseTo(300, -1);
  expect(failures).toEqual([failure]);
  incoming.close();
});
