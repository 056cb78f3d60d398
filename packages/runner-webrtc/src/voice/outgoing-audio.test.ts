import type { AudioFrame } from "@pipecat-ts/audio";
import {
  cut,
  excerpt,
  findGaps,
  join,
  measureLevel,
  measurePitch,
  silence,
  syllables,
  tone,
} from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { loadOpus, type Opus, type OpusSettings } from "./opus.ts";
import { parseOpusPacket } from "./opus-packet.ts";
import { createKeepaliveSilence, createOutgoingAudio } from "./outgoing-audio.ts";
import { createSteadyPacer } from "./test/steady-pacer.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const quiet = (durationMs: number) => cut(silence({ durationMs, sampleRate: 48_000 }));

async function createFixture(settings: OpusSettings = {}) {
  const opus = await loadOpus();
  const decoder = await opus.createDecoder({ sampleRate: 48_000 });
  const packets: Uint8Array[] = [];
  const timestamps: number[] = [];
  const outgoing = createOutgoingAudio({
    ...settings,
    opus,
    send(payload, timestamp) {
      packets.push(payload);
      timestamps.push(timestamp);
    },
  });
  return {
    opus,
    outgoing,
    packets,
    timestamps,
    /** Sends each frame in its own turn of the event loop, as a call does. */
    async send(frames: readonly AudioFrame[]) {
      for (const frame of frames) {
        outgoing.send(frame);
        await turn();
      }
    },
    received(): AudioFrame {
      const frames = packets.map((packet) => decoder.decode(packet) ?? new Int16Array());
      decoder.free();
      return join(frames.map((samples) => ({ samples, sampleRate: 48_000, channels: 1 })));
    },
  };
}

test.each([8_000, 12_000, 16_000, 24_000, 48_000])(
  "preserves the level and pitch of speech at %i Hz",
  async (sampleRate) => {
    const { outgoing, packets, send, received } = await createFixture();
    expect(outgoing.sampleRates).toEqual([48_000, 24_000, 16_000, 12_000, 8_000]);
    const speech = syllables(150, { durationMs: 2_000, sampleRate });
    await send(cut(speech));
    expect(packets.length).toBe(100);
    const bitrate = packets.reduce((bytes, packet) => bytes + packet.length, 0) * 4;
    expect(bitrate).toBeGreaterThan(sampleRate < 24_000 ? 18_000 : 35_000);
    expect(bitrate).toBeLessThan(42_000);
    const audio = received();
    expect(Math.abs(measureLevel(audio) - measureLevel(speech))).toBeLessThan(1);
    expect((measurePitch(audio) ?? 0) / 150).toBeCloseTo(1, 2);
    outgoing.close();
  },
);

test("the timestamp advances by 20 ms per frame, whatever its rate, and wraps at 32 bits", async () => {
  const { outgoing, timestamps, send } = await createFixture();
  for (const sampleRate of [16_000, 48_000, 8_000, 24_000]) await send(cut(tone(300, { durationMs: 60, sampleRate })));
  await send(quiet(60));
  const first = timestamps[0] ?? 0;
  expect(timestamps).toEqual(Array.from({ length: 15 }, (_, index) => (first + index * 960) % 2 ** 32));
  outgoing.close();
});

test("a change of the sample rate leaves no gap", async () => {
  const { outgoing, send, received } = await createFixture();
  for (const sampleRate of [16_000, 24_000, 8_000]) await send(cut(tone(300, { durationMs: 400, sampleRate })));
  expect(findGaps(excerpt(received(), 20, 1_180), { thresholdDb: -30 })).toEqual([]);
  outgoing.close();
});

test.each([false, true])("silence is sent as one small packet per frame (dtx %s)", async (dtx) => {
  const { outgoing, packets, send, received } = await createFixture({ dtx });
  await send([...cut(syllables(150, { durationMs: 400, sampleRate: 24_000 })), ...quiet(2_000)]);
  await send(cut(syllables(150, { durationMs: 400, sampleRate: 24_000 })));
  expect(packets.length).toBe(140);
  const settled = packets.slice(40, 120);
  expect(settled.every((packet) => packet === settled[0])).toBe(true);
  expect(settled[0]?.length).toBeLessThanOrEqual(dtx ? 1 : 24);
  const audio = received();
  expect(measureLevel(excerpt(audio, 500, 2_400))).toBeLessThan(-90);
  const once = measureLevel(excerpt(audio, 0, 400));
  expect(Math.abs(measureLevel(excerpt(audio, 2_400, 2_800)) - once)).toBeLessThan(1);
  expect(largestStep(excerpt(audio, 2_300, 2_800))).toBeLessThan(1.2 * largestStep(excerpt(audio, 0, 400)));
  outgoing.close();
});

test("after clear(), no earlier audio is played", async () => {
  const uncleared = await createFixture();
  const cleared = await createFixture();
  for (const { outgoing, send } of [uncleared, cleared]) {
    await send(cut(tone(300, { durationMs: 500, sampleRate: 24_000 })));
    if (outgoing === cleared.outgoing) outgoing.clear();
    await send(quiet(100));
    outgoing.close();
  }
  const after = [uncleared, cleared].map(({ received }) => excerpt(received(), 503, 600)); // The decoder itself needs 2.5 ms.
  expect(measureLevel(after[0] ?? silence({ durationMs: 1 }))).toBeGreaterThan(-45);
  expect(measureLevel(after[1] ?? silence({ durationMs: 1 }))).toBeLessThan(-60);
});

test("clear() and close() drop frames that wait for their encoder", async () => {
  const { opus, outgoing, packets } = await createFixture();
  const [frame] = cut(tone(300, { durationMs: 20, sampleRate: 48_000 })) as [AudioFrame];
  outgoing.send(frame);
  outgoing.clear();
  await turn();
  expect([packets.length, opus.live.encoders]).toEqual([0, 0]);
  outgoing.send(frame);
  outgoing.clear();
  outgoing.send(frame);
  outgoing.send(frame);
  await turn();
  expect([packets.length, opus.live.encoders]).toEqual([2, 1]);
  outgoing.clear();
  outgoing.send(frame);
  outgoing.close();
  outgoing.close();
  outgoing.send(frame);
  await turn();
  expect([packets.length, opus.live.encoders]).toEqual([2, 0]);
});

test("packets contain FEC from a report of loss until ten reports in a row without loss", async () => {
  const { outgoing, packets, send } = await createFixture();
  const speech = cut(syllables(150, { durationMs: 400, sampleRate: 24_000 }));
  const hasFec = async () => {
    await send(speech);
    return packets.splice(0).filter((packet) => parseOpusPacket(packet)?.hasFec).length > 10;
  };
  const report = (times: number, percent: number) => {
    for (let time = 0; time < times; time++) outgoing.reportLoss(percent);
  };
  expect(await hasFec()).toBe(false);
  report(1, 0.4);
  expect(await hasFec()).toBe(true);
  report(9, 0);
  report(1, 0.4);
  report(9, 0);
  expect(await hasFec()).toBe(true);
  report(1, 0);
  expect(await hasFec()).toBe(false);
  outgoing.clear(); // A new encoder has the same setting.
  expect(await hasFec()).toBe(false);
  report(1, 0.4);
  expect(await hasFec()).toBe(true);
  outgoing.close();
});

test("a failure to create the encoder is thrown by the next send(), which tries again", async () => {
  const { opus } = await createFixture();
  let broken = true;
  const sent: Uint8Array[] = [];
  const flaky: Opus = {
    ...opus,
    createEncoder: async (options) => {
      if (broken) throw new Error("no memory");
      return await opus.createEncoder(options);
    },
  };
  const outgoing = createOutgoingAudio({ opus: flaky, send: (payload) => sent.push(payload) });
  const [frame] = cut(tone(300, { durationMs: 20, sampleRate: 48_000 })) as [AudioFrame];
  outgoing.send(frame);
  await turn();
  broken = false;
  expect(() => outgoing.send(frame)).toThrow("no memory");
  outgoing.send(frame);
  await turn();
  expect(sent.length).toBe(1);
  outgoing.close();
});

test("a frame with an unsupported rate or length is rejected", async () => {
  const { outgoing, send, packets } = await createFixture();
  await send(quiet(20));
  expect(() => outgoing.send({ samples: new Int16Array(882), sampleRate: 44_100, channels: 1 })).toThrow(RangeError);
  expect(() => outgoing.send({ samples: new Int16Array(100), sampleRate: 48_000, channels: 1 })).toThrow(RangeError);
  await send(quiet(20));
  expect(packets.length).toBe(2);
  outgoing.close();
});

function largestStep({ samples }: AudioFrame): number {
  return samples.reduce((most, sample, index) => Math.max(most, Math.abs(sample - (samples[index - 1] ?? sample))), 0);
}

function createSilenceFixture() {
  const pacer = createSteadyPacer(0);
  const packets: { readonly payload: Uint8Array; readonly timestamp: number }[] = [];
  return {
    pacer,
    packets,
    keepalive: createKeepaliveSilence(pacer, (payload, timestamp) => packets.push({ payload, timestamp })),
  };
}

test("keepalive silence is sent every 20 ms, and the bot's audio continues its timestamps", async () => {
  const { pacer, packets, keepalive } = createSilenceFixture();
  keepalive.begin();
  keepalive.begin();
  pacer.advanceTo(1_000);
  expect(packets).toHaveLength(50);
  const next = keepalive.end();
  pacer.advanceTo(2_000);
  expect(packets).toHaveLength(50);
  expect(pacer.timers).toBe(0);
  expect(packets.map(({ timestamp }) => (next - timestamp) >>> 0)).toEqual(
    packets.map((_, index) => (50 - index) * 960),
  );

  const decoder = await (await loadOpus()).createDecoder({ sampleRate: 48_000 });
  const samples = packets.map(({ payload }) => decoder.decode(payload));
  decoder.free();
  expect(samples.every((each) => each?.length === 960 && each.every((sample) => sample === 0))).toBe(true);
});

test("no keepalive silence is sent after end()", () => {
  const { pacer, packets, keepalive } = createSilenceFixture();
  keepalive.end();
  keepalive.begin();
  pacer.advanceTo(1_000);
  expect(packets).toEqual([]);
  expect(pacer.timers).toBe(0);
});
