import { createFilter, type Filter, type FilterKernel } from "./filter.ts";
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
 * most 150 KB, and 4 KB between the usual rates. Throws RangeError on a rate out of range.
 */
export function createResampler(options: ResamplerOptions): Resampler {
  const { fromRate, toRate } = options;
  requireInteger("fromRate", fromRate, 1_000, 192_000);
  requireInteger("toRate", toRate, 1_000, 192_000);
  if (fromRate === toRate)
    return { process: (samples) => samples, flush: () => new Int16Array(0), reset: () => undefined };

  const divisor = greatestCommonDivisor(fromRate, toRate);
  return createStream(fromRate / divisor, toRate / divisor);
}

/** Samples taken into the filter at a time, so that long chunks need no more memory. */
const pieceSamples = 1_024;

/** All resamplers of the process use one: it is code and scratch memory, and holds nothing of any stream. */
let shared: Filter | undefined;

function createStream(from: number, to: number): Resampler {
  shared ??= createFilter();
  const filter = shared;
  const kernel: FilterKernel = { ...createKernel(from, to), from, to };
  const { taps } = kernel;
  const silence = taps / 2 - 1; // samples of it before the stretch
  // Input samples that outputs are still made of. The next one lies `part / to` samples after the sample `taps / 2 - 1` of
  // them. All are whole numbers, so that it never drifts.
  const held = new Int16Array(taps + pieceSamples);
  let holds = silence;
  let part = 0;

  /** How many samples can be made of so many. */
  function yieldOf(samples: number): number {
    return Math.max(0, Math.ceil(((samples - taps + 1) * to - part) / from));
  }

  function processPiece(piece: Int16Array): Int16Array {
    const { input } = filter;
    const length = holds + piece.length;
    input.set(held.subarray(0, holds));
    input.set(piece, holds);
    const count = yieldOf(length);
    const output = count === 0 ? new Int16Array(0) : filter.run(kernel, length, part, count);
    const advanced = part + count * from;
    const begin = Math.floor(advanced / to);
    part = advanced % to;
    holds = length - begin;
    held.set(input.subarray(begin, length));
    return output;
  }

  function process(samples: Int16Array): Int16Array {
    const output = new Int16Array(yieldOf(holds + samples.length));
    let written = 0;
    for (let taken = 0; taken < samples.length; taken += pieceSamples) {
      const made = processPiece(samples.subarray(taken, taken + pieceSamples));
      output.set(made, written);
      written += made.length;
    }
    return output;
  }

  function reset(): void {
    held.fill(0, 0, silence);
    holds = silence;
    part = 0;
  }

  function flush(): Int16Array {
    const last = process(new Int16Array(taps / 2));
    reset();
    return last;
  }

  return { process, flush, reset };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
