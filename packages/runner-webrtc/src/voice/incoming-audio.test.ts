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
import { createIncomingStage, encodePackets, type IncomingStage } from "./test/incoming-stage.ts";
import { measureLossyNetwork } from "./test/lossy-network.ts";
import { createSteadyPacer } from "./test/steady-pacer.ts";

const heard = (stage: IncomingStage) => join(stage.given.map(({ frame }) => frame));
const times = (stage: IncomingStage) => stage.given.map(({ atMs }) => atMs);

describe("in time", () => {
  test("a frame of 20 ms comes 20 ms after its packet, and nothing before the first", async () => {
    const stage = await createIncomingStage();
    stage.pacer.advanceTo(5_000);
    expect(stage.given).toEqual([]);
    expect(stage.pacer.series).toBe(0);
    const packets = await encodePackets(tone(300, { durationMs: 200 }));
    for (const [index, payload] of packets.entries()) stage.arrive(5_007 + index * 20, index, payload);
    stage.pacer.advanceTo(5_207);
    expect(times(stage)).toEqual(packets.map((_, index) => 5_027 + index * 20));
    for (const { frame } of stage.given) expect(frame).toMatchObject({ sampleRate: 16_000, channels: 1 });
    expect(stage.given.every(({ frame }) => frame.samples.length === 320)).toBe(true);
    expect(stage.incoming.delayMs).toBe(20);
  });

  test("speech keeps its length, its level and its pitch", async () => {
    const stage = await createIncomingStage();
    const said = syllables(150, { durationMs: 4_000 });
    stage.flow(await encodePackets(said));
    stage.pacer.advanceTo(5_000);
    expect(heard(stage).samples.length).toBe(said.samples.length);
    expect(Math.abs(measureLevel(heard(stage)) - measureLevel(said))).toBeLessThan(1);
    expect((measurePitch(heard(stage)) ?? 0) / 150).toBeCloseTo(1, 2);
    expect(stage.incoming.counters).toMatchObject({ received: 200, frames: 200, lost: 0, concealedMs: 0, leftOut: 0 });
  });

  test.each([
    [8_000, 8_000],
    [11_025, 12_000],
    [22_050, 24_000],
    [48_000, 48_000],
    [96_000, 48_000],
  ])("a bot that wants %i Hz is given %i Hz", async (wanted, given) => {
    const stage = await createIncomingStage(wanted);
    stage.flow(await encodePackets(tone(300, { durationMs: 200, sampleRate: 16_000 })));
    expect(stage.given[0]?.frame.sampleRate).toBe(given);
    expect(stage.given[0]?.frame.samples.length).toBe(given / 50);
  });

  test("packets of 60 and of 2.5 ms are cut into frames of 20 ms", async () => {
    const { createEncoder, Application } = await import("libopus-wasm");
    for (const packetMs of [60, 2.5]) {
      const options = {
        application: Application.Voip,
        sampleRate: 16_000,
        channels: 1,
        frameSize: packetMs * 16,
      } as const;
      const encoder = await createEncoder(options);
      const stage = await createIncomingStage();
      const said = sweep(200, 3_000, { durationMs: 600 });
      for (let index = 0; index * packetMs < 600; index++) {
        const payload = encoder.encode(said.samples.slice(index * packetMs * 16, (index + 1) * packetMs * 16));
        stage.arrive(1_000 + index * packetMs, index, payload, { timestamp: index * packetMs * 48 });
      }
      encoder.free();
      stage.pacer.advanceTo(1_640);
      const { correlation = 0 } = findSound(excerpt(said, 40, 540), heard(stage)) ?? {};
      expect(correlation).toBeGreaterThan(0.9);
      expect(stage.incoming.counters.concealedMs).toBe(0);
    }
  });
});

describe("bad networks", () => {
  test("5 % lost and 30 ms of jitter: no more is guessed than was lost and 1 %", async () => {
    const figures = await measureLossyNetwork({ durationMs: 60_000, lossPercent: 5, jitterMs: 30 });
    expect(figures.lostPercent).toBeGreaterThan(4);
    expect(figures.concealedPercent).toBeLessThan(figures.lostPercent / 2); // the rest came as copies
    expect(figures.concealedPercent + figures.recoveredPercent).toBeLessThan(figures.lostPercent + 1);
    expect(figures.delayMs.mean).toBeLessThan(3 * 60);
    expect(Math.abs(figures.louderDb)).toBeLessThan(1);
    expect((measurePitch(figures.heard) ?? 0) / 150).toBeCloseTo(1, 2);
  });

  test("where packets get lost, others are waited for so long that the next one can mend it", async () => {
    const figures = await measureLossyNetwork({ durationMs: 60_000, lossPercent: 5 });
    expect(figures.concealedPercent).toBeLessThan(1.5);
    expect(figures.recoveredPercent).toBeGreaterThan(3);
    expect(figures.delayMs.mean).toBeLessThanOrEqual(41);
  });

  test("jitter alone costs nothing but delay, and no more of it than there is jitter", async () => {
    const figures = await measureLossyNetwork({ durationMs: 30_000, jitterMs: 60 });
    expect(figures.concealedPercent).toBeLessThan(1);
    expect(figures.delayMs.mean).toBeGreaterThan(60);
    expect(figures.delayMs.mean).toBeLessThan(100);
  });

  test.each([200, -200])(
    "a clock that is off by %i ppm for 5 minutes neither adds delay nor is heard",
    async (skewPpm) => {
      const { counters, delayMs, heard } = await measureLossyNetwork({
        durationMs: 300_000,
        skewPpm,
        sampleRate: 8_000,
      });
      expect(counters.concealedMs).toBe(0);
      expect(delayMs.max).toBeLessThanOrEqual(40.1);
      // 60 ms in 5 minutes: three frames, one after the other, and in the pauses between syllables.
      expect(counters.leftOut + counters.putIn).toBeLessThanOrEqual(4);
      expect(counters.leftOut + counters.putIn).toBeGreaterThanOrEqual(2);
      expect(findGaps(heard, { thresholdDb: -60, minimumMs: 40 })).toEqual([]);
    },
  );

  test("the delay grows at once when packets are late, and falls again when they are not", async () => {
    const stage = await createIncomingStage();
    const packets = await encodePackets(syllables(150, { durationMs: 30_000 }));
    const delays: number[] = [];
    const shortenedAt: number[] = [];
    for (const [index, payload] of packets.entries()) {
      const { leftOut } = stage.incoming.counters;
      const lateMs = index >= 100 && index < 200 && index % 5 === 0 ? 70 : 0;
      const atMs = 1_000 + index * 20 + lateMs;
      stage.arrive(Math.max(atMs, stage.pacer.clock.now()), index, payload);
      delays.push(stage.incoming.delayMs);
      const [last] = stage.given.slice(-1);
      if (last && stage.incoming.counters.leftOut > leftOut) shortenedAt.push(measureLevel(last.frame));
    }
    expect(delays[99]).toBe(20);
    expect(Math.max(...delays.slice(100, 130))).toBeGreaterThanOrEqual(80);
    expect(delays.at(-1)).toBeLessThan(40);
    expect(stage.incoming.counters.concealedMs).toBeLessThanOrEqual(100);
    expect(shortenedAt.length).toBeGreaterThan(0);
    expect(Math.max(...shortenedAt)).toBeLessThan(-30); // between syllables
  });

  test("a delay that is too long is shortened even when the caller never pauses, and without a click or a gap", async () => {
    const stage = await createIncomingStage();
    const said = tone(330, { durationMs: 4_000 }); // 20 ms are 6.6 periods
    for (const [index, payload] of (await encodePackets(said)).entries()) {
      // The first packets are 60 ms late, all the others in time.
      const atMs = Math.max(1_000 + index * 20, index < 3 ? 1_060 : 0);
      stage.arrive(atMs, index, payload);
    }
    expect(stage.incoming.counters.leftOut).toBeGreaterThanOrEqual(1);
    expect(stage.incoming.delayMs).toBeLessThan(60);
    expect(findGaps(excerpt(heard(stage), 20, 3_800), { thresholdDb: -20, minimumMs: 10 })).toEqual([]);
    const steps = excerpt(heard(stage), 20, 3_800).samples.map(
      (sample, index, all) => sample - (all[index - 1] ?? sample),
    );
    expect(Math.max(...steps)).toBeLessThan((1.5 * (2 * Math.PI * 330 * 8_200)) / 16_000);
  });

  test("when the network has stood still for 300 ms, what comes then is played at up to double speed", async () => {
    const stage = await createIncomingStage();
    for (const [index, payload] of (await encodePackets(tone(300, { durationMs: 3_000 }))).entries()) {
      const stood = index >= 50 && index < 65;
      stage.arrive(stood ? 2_300 : 1_000 + index * 20, index, payload);
      if (index === 64) expect(stage.incoming.counters.overflowed).toBe(0);
      if (index === 80) expect(stage.incoming.delayMs).toBeLessThan(200);
    }
    expect(stage.incoming.delayMs).toBeLessThanOrEqual(180);
    expect(stage.incoming.counters.leftOut).toBeGreaterThan(6);
  });

  test("a lost packet is heard by the copy in the next one when that is there in time", async () => {
    const stage = await createIncomingStage();
    const said = syllables(150, { durationMs: 2_000 });
    const packets = await encodePackets(said);
    for (const [index, payload] of packets.entries()) {
      if (index === 50) continue; // from 1,000 ms on, in the middle of a syllable
      stage.arrive(index < 50 ? 1_000 + index * 20 : 995 + index * 20, index, payload);
    }
    stage.pacer.advanceTo(3_000);
    expect(stage.incoming.counters).toMatchObject({ lost: 1, recoveredMs: 20, concealedMs: 0 });
    const loss = (audio: AudioFrame) => measureLevel(excerpt(audio, 1_000, 1_026));
    expect(Math.abs(loss(heard(stage)) - loss(said))).toBeLessThan(3);
  });

  test("packets out of order are put in order, those that come twice are played once", async () => {
    const stage = await createIncomingStage();
    const said = sweep(200, 3_000, { durationMs: 1_000 });
    const packets = await encodePackets(said);
    for (let index = 0; index < packets.length; index += 2) {
      const atMs = 1_000 + index * 20;
      for (const each of [index + 1, index, index + 1, index])
        stage.arrive(atMs, each, packets[each] ?? new Uint8Array());
    }
    stage.pacer.advanceTo(2_040);
    expect(stage.incoming.counters).toMatchObject({ duplicate: packets.length, lost: 0, concealedMs: 0 });
    expect(findSound(excerpt(said, 100, 800), heard(stage))?.correlation).toBeGreaterThan(0.95);
  });

  test("a packet that comes after its turn is dropped and counted", async () => {
    const stage = await createIncomingStage();
    const packets = await encodePackets(tone(300, { durationMs: 400 }));
    const [late] = packets.splice(5, 1);
    packets.splice(5, 0, new Uint8Array()); // it is not there in its turn
    stage.flow(packets);
    stage.arrive(1_420, 5, late ?? new Uint8Array());
    expect(stage.incoming.counters).toMatchObject({ late: 1, lost: 1 });
  });
});

describe("streams that stop, and others that begin", () => {
  test("a caller who stops sending is heard to fade away within 120 ms, and is silent from then on", async () => {
    const stage = await createIncomingStage();
    stage.flow(await encodePackets(tone(300, { durationMs: 1_000 })));
    stage.pacer.advanceTo(4_000);
    expect(stage.given.length).toBe(150);
    expect(measureLevel(excerpt(heard(stage), 1_000, 1_040))).toBeGreaterThan(-30);
    expect(measureLevel(excerpt(heard(stage), 1_140, 3_000))).toBe(Number.NEGATIVE_INFINITY);
    expect(stage.incoming.counters.concealedMs).toBe(0);
  });

  test("a pause of which the timestamps tell is as long as it was, and adds no delay", async () => {
    for (const pausedFrames of [5, 20, 100]) {
      const stage = await createIncomingStage();
      const packets = await encodePackets(join([tone(300, { durationMs: 500 }), tone(300, { durationMs: 500 })]));
      for (const [index, payload] of packets.entries()) {
        const place = index < 25 ? index : index + pausedFrames;
        stage.arrive(1_000 + place * 20, place, payload, { sequence: index });
      }
      stage.pacer.advanceTo(2_000 + pausedFrames * 20);
      expect(stage.given.length).toBe(50 + pausedFrames);
      expect(stage.incoming.counters).toMatchObject({ lost: 0, concealedMs: 0 });
      expect(stage.incoming.delayMs).toBe(20);
    }
  });

  test("a caller whose timestamps stand still in a pause is heard at once after it", async () => {
    const stage = await createIncomingStage();
    const packets = await encodePackets(tone(300, { durationMs: 2_000 }));
    for (const [index, payload] of packets.entries())
      stage.arrive(1_000 + index * 20 + (index < 25 ? 0 : 3_000), index, payload);
    stage.pacer.advanceTo(6_000);
    expect(measureLevel(excerpt(heard(stage), 3_560, 4_980))).toBeGreaterThan(-16);
    expect(stage.incoming.counters).toMatchObject({ lost: 0, late: 0, stray: 0, concealedMs: 0 });
    expect(stage.incoming.targetMs).toBe(20);
    expect(stage.incoming.delayMs).toBeLessThanOrEqual(40);
  });

  test("a stream with other numbers takes over: told of, or by its second packet", async () => {
    for (const told of [true, false]) {
      const stage = await createIncomingStage();
      const packets = await encodePackets(tone(300, { durationMs: 1_000 }));
      stage.flow(packets);
      if (told) stage.incoming.restart();
      await new Promise((resolve) => setImmediate(resolve));
      for (const [index, payload] of packets.entries()) {
        const change = { sequence: index + 40_000, timestamp: index * 960 + 3_000_000_000 };
        stage.arrive(2_000 + index * 20, index, payload, change);
      }
      stage.pacer.advanceTo(3_000);
      expect(stage.incoming.counters).toMatchObject({ stray: told ? 0 : 1, late: 0, lost: 0 });
      expect(measureLevel(excerpt(heard(stage), 1_060, 1_980))).toBeGreaterThan(-16);
      expect(stage.incoming.delayMs).toBeLessThanOrEqual(40);
    }
  });

  test("closing stops the ticks and frees the decoder, once", async () => {
    const opus = await loadOpus();
    const pacer = createSteadyPacer();
    const given: unknown[] = [];
    const incoming = createIncomingAudio({
      opus,
      sampleRate: 16_000,
      pacer,
      take: (frame) => given.push(frame),
      failed: expect.fail,
    });
    incoming.push({ payload: Uint8Array.of(0xf8, 0xff, 0xfe), sequenceNumber: 1, timestamp: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    incoming.restart();
    await new Promise((resolve) => setImmediate(resolve));
    expect(opus.live.decoders).toBe(1);
    incoming.restart(); // is still at making a decoder
    incoming.close();
    incoming.close();
    incoming.push({ payload: Uint8Array.of(0xf8, 0xff, 0xfe), sequenceNumber: 2, timestamp: 961 });
    await new Promise((resolve) => setImmediate(resolve));
    pacer.advanceTo(2_000);
    expect([opus.live.decoders, pacer.series, given.length]).toEqual([0, 0, 0]);
  });

  test("frames are given in the scope that it was created in", async () => {
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
      createIncomingAudio({ opus, sampleRate: 16_000, pacer, take: () => undefined, failed: expect.fail }),
    );
    scope.run("socket", () =>
      incoming.push({ payload: Uint8Array.of(0xf8, 0xff, 0xfe), sequenceNumber: 1, timestamp: 1 }),
    );
    incoming.close();
    expect(scopes).toEqual(["session"]);
  });
});

describe("junk", () => {
  /** Two frames of 10 ms that are said to be equally long, in an odd number of bytes (RFC 6716, section 3.2.3). */
  const oddHalves = Uint8Array.of(0x41, 0xff);

  test("what is no Opus is counted, and the rest is heard", async () => {
    const stage = await createIncomingStage();
    const packets = await encodePackets(tone(300, { durationMs: 1_000 }));
    for (const [index, payload] of packets.entries()) {
      const bad = index % 10 === 3 ? new Uint8Array() : index % 10 === 6 ? oddHalves : payload;
      stage.arrive(1_000 + index * 20, index, bad);
    }
    stage.pacer.advanceTo(2_000);
    expect(stage.incoming.counters).toMatchObject({ invalid: 5, refused: 5 });
    expect(measureLevel(excerpt(heard(stage), 40, 980))).toBeGreaterThan(-20);
  });

  test("a thousand packets at once: the last 400 ms are kept, and played without growing delay", async () => {
    const stage = await createIncomingStage();
    const [payload = new Uint8Array()] = await encodePackets(silence({ durationMs: 20 }));
    for (let index = 0; index < 1_000; index++) stage.arrive(1_000, index, payload);
    expect(stage.incoming.counters.overflowed).toBe(980);
    for (let index = 1_000; index < 1_100; index++) stage.arrive(1_020 + (index - 1_000) * 20, index, payload);
    expect(stage.incoming.delayMs).toBeLessThanOrEqual(140);
    expect(stage.given.length).toBeLessThanOrEqual(100);
  });

  test("a packet from the far future changes nothing", async () => {
    const stage = await createIncomingStage();
    const packets = await encodePackets(tone(300, { durationMs: 1_000 }));
    for (const [index, payload] of packets.entries()) {
      stage.arrive(1_000 + index * 20, index, payload);
      if (index === 20) stage.arrive(1_401, 0, payload, { sequence: 30_000, timestamp: 2_000_000_000 });
      if (index === 30) stage.arrive(1_601, 0, payload, { sequence: 31, timestamp: 9_000_000 });
    }
    stage.pacer.advanceTo(2_000);
    expect(stage.incoming.counters).toMatchObject({ stray: 2, late: 0, lost: 0, concealedMs: 0 });
    expect(stage.incoming.delayMs).toBe(20);
  });

  test("random numbers and random bytes neither throw nor pile up", async () => {
    const stage = await createIncomingStage();
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let count = 0; count < 5_000; count++) {
      const payload = Uint8Array.from({ length: random(40) }, () => random(256));
      const change = { sequence: random(65_536), timestamp: random(2 ** 32) };
      stage.arrive(
        1_000 + count * 5,
        0,
        payload,
        random(2) === 0 ? change : { sequence: count, timestamp: count * 240 },
      );
    }
    const { frames, received } = stage.incoming.counters;
    expect(received).toBe(5_000);
    expect(frames).toBeGreaterThan(1_200);
    expect(frames).toBeLessThanOrEqual(1_250);
    expect(stage.given.every(({ frame }) => frame.samples.length === 320)).toBe(true);
  });
});

test("where no decoder can be made, that is told, and silence is given; the next one may be made again", async () => {
  const pacer = createSteadyPacer();
  const opus = await loadOpus();
  const none = new Error("out of memory");
  let refused = true;
  const createDecoder: typeof opus.createDecoder = async (options) => {
    if (refused) throw none;
    return await opus.createDecoder(options);
  };
  const given: AudioFrame[] = [];
  const failures: unknown[] = [];
  const incoming = createIncomingAudio({
    opus: { ...opus, createDecoder },
    sampleRate: 16_000,
    pacer,
    take: (frame) => given.push(frame),
    failed: (error) => failures.push(error),
  });
  const packets = await encodePackets(tone(300, { durationMs: 400 }));
  const speak = () => {
    for (const [sequenceNumber, payload] of packets.entries()) {
      incoming.push({ payload, sequenceNumber, timestamp: sequenceNumber * 960 });
      pacer.advanceTo(pacer.clock.now() + 20);
    }
  };
  speak();
  expect(failures).toEqual([none]);
  expect(given.length).toBe(packets.length);
  expect(measureLevel(join(given))).toBe(Number.NEGATIVE_INFINITY);
  expect(incoming.counters.refused).toBe(packets.length);

  refused = false;
  incoming.restart();
  await new Promise((resolve) => setImmediate(resolve)); // the decoder is made by now
  given.length = 0;
  speak();
  expect(measurePitch(join(given))).toBeCloseTo(300, -1);
  expect(failures).toEqual([none]);
  incoming.close();
});
