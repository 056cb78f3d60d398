import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import type { MediaPort } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createFakeCall } from "./test/fake-call.ts";

/** 4 s of tones up to 0.9 × `bandwidth`, in Hz, which rise and fall together. */
function tones(sampleRate: number, bandwidth = sampleRate / 2): Int16Array {
  const partials = [0.04, 0.11, 0.23, 0.42, 0.61, 0.78, 0.9].map((share) => share * bandwidth);
  return Int16Array.from({ length: 4 * sampleRate }, (_, index) => {
    const seconds = index / sampleRate;
    const sum = partials.reduce((total, hz, k) => total + Math.sin(2 * Math.PI * hz * seconds + k) / (k + 1), 0);
    return 4_000 * sum * (0.55 + 0.45 * Math.sin(2 * Math.PI * 1.3 * seconds));
  });
}

/** What an echo bot returns when the caller says `samples` in frames of 20 ms with ±10 ms of jitter. */
async function echo(
  samples: Int16Array,
  sampleRate: number,
  port: Partial<MediaPort>,
  audioInSampleRate: number,
): Promise<Int16Array> {
  const call = createFakeCall({ port, params: { audioInSampleRate } });
  void call.transport.input.pipeTo(call.transport.output);
  const size = sampleRate / 50;
  for (let frame = 0; frame * size < samples.length; frame++) {
    const atMs = 1_010 + frame * 20 + ([0, -10, 10, 3, -7, 8][frame % 6] ?? 0);
    await call.clock.advance(Math.max(0, atMs - call.clock.now()));
    call.caller.audio({ samples: samples.subarray(frame * size, (frame + 1) * size), sampleRate, channels: 1 });
  }
  return Int16Array.from(call.sent.flatMap(({ frame }) => [...frame.samples]));
}

/** In dB, without the beginning and what had not returned at the end. */
function signalToNoise(said: Int16Array, heard: Int16Array): number {
  let signal = 0;
  let noise = 0;
  for (let index = 400; index < said.length * 0.9; index++) {
    signal += (said[index] as number) ** 2;
    noise += ((said[index] as number) - (heard[index] ?? 0)) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

const phone = { sampleRates: [8_000], frameMs: 40, sendAheadMs: 160 } as const;

test("a phone call whose bot works at 8,000 Hz is echoed bit for bit", async () => {
  const said = decodeMulaw(encodeMulaw(tones(8_000)));
  const heard = await echo(said, 8_000, phone, 8_000);
  expect(heard.length).toBeGreaterThan(0.9 * said.length);
  expect(heard).toEqual(said.subarray(0, heard.length));
});

test("a phone call whose bot works at 16,000 Hz loses less than G.711 does", async () => {
  const original = tones(8_000);
  const said = decodeMulaw(encodeMulaw(original));
  const heard = decodeMulaw(encodeMulaw(await echo(said, 8_000, phone, 16_000)));
  expect(signalToNoise(original, heard)).toBeGreaterThan(35);
  expect(signalToNoise(original, heard)).toBeGreaterThan(signalToNoise(original, said) - 3);
});

test.each([16_000, 24_000])(
  "a WebSocket caller at %i Hz hears its audio with a signal-to-noise ratio of 60 dB",
  async (rate) => {
    const said = tones(16_000);
    const heard = await echo(said, 16_000, { sampleRates: [rate], frameMs: 40 }, 16_000);
    expect(signalToNoise(tones(rate, 8_000), heard)).toBeGreaterThan(60);
  },
);
