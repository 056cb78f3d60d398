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
import { recogniseOpusPacket } from "./opus-packet.ts";
import { createOutgoingAudio } from "./outgoing-audio.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const quiet = (durationMs: number) => cut(silence({ durationMs, sampleRate: 48_000 }));

async function createListener(settings: OpusSettings = {}) {
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
    /** Sends frames, each in a turn of the event loop as on the wire. */
    async say(frames: readonly AudioFrame[]) {
      for (const frame of frames) {
        outgoing.send(frame);
        await turn();
      }
    },
    heard(): AudioFrame {
      const frames = packets.map((packet) => decoder.decode(packet) ?? new Int16Array());
      decoder.free();
      return join(frames.map((samples) => ({ samples, sampleRate: 48_000, channels: 1 })));
    },
  };
}

test.each([8_000, 12_000, 16_000, 24_000, 48_000])("speech of %i Hz is heard as it was said", async (sampleRate) => {
  const { outgoing, packets, say, heard } = await createListener();
  expect(outgoing.sampleRates).toEqual([48_000, 24_000, 16_000, 12_000, 8_000]);
  const said = syllables(150, { durationMs: 2_000, sampleRate });
  await say(cut(said));
  expect(packets.length).toBe(100);
  expect(packets.reduce((bytes, packet) => bytes + packet.length, 0) * 4).toBeLessThan(33_000); // bit/s
  const audio = heard();
  expect(Math.abs(measureLevel(audio) - measureLevel(said))).toBeLessThan(1);
  expect((measurePitch(audio) ?? 0) / 150).toBeCloseTo(1, 2);
  outgoing.close();
});

test("the timestamp goes on by 20 ms with every frame, whatever its rate, and wraps at 32 bits", async () => {
  const { outgoing, timestamps, say } = await createListener();
  for (const sampleRate of [16_000, 48_000, 8_000, 24_000]) await say(cut(tone(300, { durationMs: 60, sampleRate })));
  await say(quiet(60));
  const first = timestamps[0] ?? 0;
  expect(timestamps).toEqual(Array.from({ length: 15 }, (_, index) => (first + index * 960) % 2 ** 32));
  outgoing.close();
});

test("a change of rate is heard as no more than a dip", async () => {
  const { outgoing, say, heard } = await createListener();
  for (const sampleRate of [16_000, 24_000, 8_000]) await say(cut(tone(300, { durationMs: 400, sampleRate })));
  expect(findGaps(excerpt(heard(), 20, 1_180), { thresholdDb: -30 })).toEqual([]);
  outgoing.close();
});

test.each([false, true])(
  "silence goes on as small packets, one for each frame, and is silent (dtx %s)",
  async (dtx) => {
    const { outgoing, packets, say, heard } = await createListener({ dtx });
    await say([...cut(syllables(150, { durationMs: 400, sampleRate: 24_000 })), ...quiet(2_000)]);
    await say(cut(syllables(150, { durationMs: 400, sampleRate: 24_000 })));
    expect(packets.length).toBe(140);
    const settled = packets.slice(40, 120);
    expect(settled.every((packet) => packet === settled[0])).toBe(true);
    expect(settled[0]?.length).toBeLessThanOrEqual(dtx ? 1 : 40);
    const audio = heard();
    expect(measureLevel(excerpt(audio, 500, 2_400))).toBeLessThan(-90);
    const once = measureLevel(excerpt(audio, 0, 400));
    expect(Math.abs(measureLevel(excerpt(audio, 2_400, 2_800)) - once)).toBeLessThan(1);
    expect(largestStep(excerpt(audio, 2_300, 2_800))).toBeLessThan(1.2 * largestStep(excerpt(audio, 0, 400)));
    outgoing.close();
  },
);

test("after clear(), nothing of what was said before is heard", async () => {
  const kept = await createListener();
  const cleared = await createListener();
  for (const { outgoing, say } of [kept, cleared]) {
    await say(cut(tone(300, { durationMs: 500, sampleRate: 24_000 })));
    if (outgoing === cleared.outgoing) outgoing.clear();
    await say(quiet(100));
    outgoing.close();
  }
  const after = [kept, cleared].map(({ heard }) => excerpt(heard(), 503, 600)); // what the decoder was at takes 2.5 ms
  expect(measureLevel(after[0] ?? silence({ durationMs: 1 }))).toBeGreaterThan(-45);
  expect(measureLevel(after[1] ?? silence({ durationMs: 1 }))).toBeLessThan(-60);
});

test("what waits for its encoder is dropped by clear() and by close()", async () => {
  const { opus, outgoing, packets } = await createListener();
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

test("packets hold copies until ten reports in a row say that nothing was lost, and again when something is", async () => {
  const { outgoing, packets, say } = await createListener();
  const speech = cut(syllables(150, { durationMs: 400, sampleRate: 24_000 }));
  const copies = async () => {
    await say(speech);
    return packets.splice(0).filter((packet) => recogniseOpusPacket(packet)?.hasCopy).length > 10;
  };
  const report = (times: number, percent: number) => {
    for (let time = 0; time < times; time++) outgoing.reportLoss(percent);
  };
  expect(await copies()).toBe(true);
  report(9, 0);
  report(1, 0.4);
  report(9, 0);
  expect(await copies()).toBe(true);
  report(1, 0);
  expect(await copies()).toBe(false);
  outgoing.clear(); // what is made anew follows suit
  expect(await copies()).toBe(false);
  report(1, 0.4);
  expect(await copies()).toBe(true);
  outgoing.close();
});

test("an encoder that cannot be made is told of by the next frame, and tried again", async () => {
  const { opus } = await createListener();
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

test("a frame that Opus cannot take is refused", async () => {
  const { outgoing, say, packets } = await createListener();
  await say(quiet(20));
  expect(() => outgoing.send({ samples: new Int16Array(882), sampleRate: 44_100, channels: 1 })).toThrow(RangeError);
  expect(() => outgoing.send({ samples: new Int16Array(100), sampleRate: 48_000, channels: 1 })).toThrow(RangeError);
  await say(quiet(20));
  expect(packets.length).toBe(2);
  outgoing.close();
});

function largestStep({ samples }: AudioFrame): number {
  return samples.reduce((most, sample, index) => Math.max(most, Math.abs(sample - (samples[index - 1] ?? sample))), 0);
}
