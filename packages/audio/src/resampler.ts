import { createKernel } from "./kernel.ts";
import { requireInteger } from "./range.ts";

/** Changes the sample rate of one mono stream. Holds the stream's state: one for each stream and direction. */
export interface Resampler {
  /**
   * Takes the stream's next samples and returns what can be made of them so far. How the stream is cut into calls makes
   * no difference to the samples that come out. Between equal rates the samples are returned as they are, uncopied.
   */
  process(samples: Int16Array): Int16Array;
  /** Ends the stretch: returns its last samples and begins anew. In all, a stretch of n samples gives ceil(n × toRate / fromRate). */
  flush(): Int16Array;
  /** Drops what is held and begins anew. */
  reset(): void;
}

/** The rates, in Hz: whole numbers from 1,000 to 192,000. */
export interface ResamplerOptions {
  readonly fromRate: number;
  readonly toRate: number;
}

/**
 * A resampler that keeps what lies below 0.8 of the lower rate's Nyquist frequency (6.4 kHz at 16,000 Hz, 3.2 kHz at 8,000
 * Hz) and takes away, by 60 dB and more, what lies above all of it.
 *
 * Output is in time with input, sample 0 with sample 0. For that, the last 24 samples by the lower rate (1.5 ms at 16,000
 * Hz, 3 ms at 8,000 Hz) wait for what follows them, or for `flush`. Peaks that come out too loud are clipped. Holds at
 * most 350 KB, and 10 KB between the usual rates. Throws RangeError on a rate out of range.
 */
export function createResampler(options: ResamplerOptions): Resampler {
  const { fromRate, toRate } = options;
  requireInteger("fromRate", fromRate, 1_000, 192_000);
  requireInteger("toRate", toRate, 1_000, 192_000);
  if (fromRate === toRate)
    return { process: (samples) => samples, flush: () => new Int16Array(0), reset: () => undefined };

  const divisor = greatestCommonDivisor(fromRate, toRate);
  return createFilter(fromRate / divisor, toRate / divisor);
}

const windowStep = 256; // samples taken into the window at a time, so that long chunks need no more memory

function createFilter(from: number, to: number): Resampler {
  const { weights, taps, phases } = createKernel(from, to);
  const exact = phases === to;
  const stepWhole = Math.floor(from / to);
  const stepPart = from % to;
  const silence = taps / 2 - 1; // samples of it before the stretch
  // The next output lies `part / to` samples after the input sample `begin + taps / 2 - 1` of the window, and is made of
  // the `taps` samples from `begin` on. All are whole numbers, so that it never drifts.
  const window = new Float64Array(taps + windowStep);
  let filled = silence;
  let begin = 0;
  let part = 0;

  function process(samples: Int16Array): Int16Array {
    const instants = filled + samples.length - taps - begin + 1; // input samples that these outputs may lie at
    const output = new Int16Array(Math.max(0, Math.ceil((instants * to - part) / from)));
    let written = 0;
    for (let taken = 0; taken < samples.length; ) {
      window.copyWithin(0, begin, filled);
      filled -= begin;
      const end = Math.min(samples.length, taken + window.length - filled);
      while (taken < end) window[filled++] = samples[taken++] as number;
      // Local copies: the engine keeps them in registers, which makes the loop a fifth faster.
      let first = 0;
      let phase = part;
      for (const last = filled - taps; first <= last; first += stepWhole) {
        const position = exact ? phase : (phase * phases) / to;
        const row = Math.floor(position);
        let value = dot(weights, row * taps, window, first, taps);
        if (!exact) value += (position - row) * (dot(weights, (row + 1) * taps, window, first, taps) - value);
        output[written++] = toSample(value);
        phase += stepPart;
        if (phase < to) continue;
        phase -= to;
        first += 1;
      }
      begin = first;
      part = phase;
    }
    return output;
  }

  function reset(): void {
    window.fill(0, 0, silence);
    filled = silence;
    begin = 0;
    part = 0;
  }

  function flush(): Int16Array {
    const last = process(new Int16Array(taps / 2));
    reset();
    return last;
  }

  return { process, flush, reset };
}

/** The sum of products of `count` values (a multiple of 4), in four sums that do not wait for each other. */
function dot(a: Float64Array, aBegin: number, b: Float64Array, bBegin: number, count: number): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  for (let index = 0; index < count; index += 4) {
    const left = aBegin + index;
    const right = bBegin + index;
    sum0 += (a[left] as number) * (b[right] as number);
    sum1 += (a[left + 1] as number) * (b[right + 1] as number);
    sum2 += (a[left + 2] as number) * (b[right + 2] as number);
    sum3 += (a[left + 3] as number) * (b[right + 3] as number);
  }
  return sum0 + sum1 + (sum2 + sum3);
}

/** The nearest 16-bit sample: too loud a value is clipped, never wrapped round. */
function toSample(value: number): number {
  return value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : Math.floor(value + 0.5);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
