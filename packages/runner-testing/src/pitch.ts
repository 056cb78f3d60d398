import type { AudioFrame } from "@pipecat-ts/audio";

/**
 * The pitch of mono `audio` in Hz, by autocorrelation over its loudest 100 ms; right to 0.5 % from 60 to 1,000 Hz, harmonics or
 * not. `undefined` for silence, noise, and anything else that does not repeat itself.
 */
export function measurePitch(audio: AudioFrame): number | undefined {
  const { sampleRate } = audio;
  const longest = Math.floor(sampleRate / 50);
  const samples = loudest(audio.samples, Math.round(sampleRate / 10));
  const compared = samples.length - longest;
  if (compared < longest) return undefined;
  const likeness = Float64Array.from({ length: longest + 1 }, (_, lag) => selfLikeness(samples, lag, compared));

  // The first descent is the sound resembling itself a moment ago; the pitch is the first peak beyond it.
  let lag = 1;
  while (lag < longest && at(likeness, lag) > 0) lag++;
  const best = likeness.subarray(lag).reduce((most, value) => Math.max(most, value), 0);
  if (lag === longest || best < 0.5) return undefined;
  while (lag < longest && !(at(likeness, lag) > 0.9 * best && at(likeness, lag) >= at(likeness, lag + 1))) lag++;
  return sampleRate / (lag + vertex(at(likeness, lag - 1), at(likeness, lag), at(likeness, lag + 1)));
}

function loudest(samples: Int16Array, size: number): Int16Array {
  const step = Math.max(1, size >> 3);
  let best = samples.subarray(0, size);
  let most = -1;
  for (let start = 0; start + size <= samples.length; start += step) {
    const part = samples.subarray(start, start + size);
    const energy = part.reduce((sum, sample) => sum + sample * sample, 0);
    if (energy > most) [best, most] = [part, energy];
  }
  return best;
}

/** 1 when the sound equals itself `lag` samples later, 0 when it has nothing in common with that. */
function selfLikeness(samples: Int16Array, lag: number, count: number): number {
  let product = 0;
  let here = 0;
  let later = 0;
  for (let index = 0; index < count; index++) {
    const a = at(samples, index);
    const b = at(samples, index + lag);
    product += a * b;
    here += a * a;
    later += b * b;
  }
  return here === 0 || later === 0 ? 0 : product / Math.sqrt(here * later);
}

/** Where between −0.5 and 0.5 the parabola through three neighbours peaks. */
function vertex(left: number, middle: number, right: number): number {
  const curve = left - 2 * middle + right;
  return curve === 0 ? 0 : (left - right) / (2 * curve);
}

function at(values: Int16Array | Float64Array, index: number): number {
  return values[index] ?? 0;
}
