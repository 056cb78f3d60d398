import { requireInteger } from "./frame.ts";
import { filterModule } from "./generated/filter-module.ts";

/** Changes the sample rate of one mono stream. It holds the state of the stream: use one resampler per stream and direction. */
export interface Resampler {
  /**
   * Adds samples and returns the output that is complete. The output does not depend on how the stream is split into calls.
   * If the rates are equal, returns `samples` itself, without a copy.
   */
  process(samples: Int16Array): Int16Array;
  /** Ends the stream: returns its last samples and starts a new stream. n input samples give ceil(n × toRate / fromRate) in total. */
  flush(): Int16Array;
  /** Drops the pending samples and starts a new stream. */
  reset(): void;
}

/** Sample rates in Hz: integers from 1,000 to 192,000. */
export interface ResamplerOptions {
  readonly fromRate: number;
  readonly toRate: number;
}

/**
 * Creates a resampler. Passes frequencies below 0.8 of the lower rate's Nyquist frequency (6.4 kHz at 16,000 Hz, 3.2 kHz at
 * 8,000 Hz) and attenuates those above it by at least 60 dB.
 *
 * Output sample 0 has the time of input sample 0. Therefore the last 24 samples at the lower rate (1.5 ms at 16,000 Hz, 3 ms
 * at 8,000 Hz) wait for the next input or for `flush`. Clips values beyond 16 bits. Holds at most 150 KB, and 4 KB for common
 * rates. The first resampler of a pair of rates takes up to 1.3 ms to create, later ones a few microseconds. Throws a RangeError
 * if a rate is out of range.
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

/** The number of input samples per filter call. It limits the memory for long inputs. */
const pieceSamples = 1_024;

/** Shared by all resamplers of the process, because it has code and scratch memory but no state of a stream. */
let shared: Filter | undefined;

/** The kernels of recent ratios, the most recent one last: a call's resamplers in both directions, and those of other calls. */
const kernels = new Map<string, FilterKernel>();
/** At most 2 MB. */
const maxKernels = 16;

function kernelOf(from: number, to: number): FilterKernel {
  const ratio = `${from}:${to}`;
  const kernel = kernels.get(ratio) ?? { ...createKernel(from, to), from, to };
  kernels.delete(ratio);
  kernels.set(ratio, kernel);
  for (const oldest of kernels.keys()) {
    if (kernels.size <= maxKernels) break;
    kernels.delete(oldest);
  }
  return kernel;
}

function createStream(from: number, to: number): Resampler {
  shared ??= createFilter();
  const filter = shared;
  const kernel = kernelOf(from, to);
  const { taps } = kernel;
  const silence = taps / 2 - 1; // zeros before the first sample
  // Input samples that later outputs need. The next output lies `part / to` samples after input sample `taps / 2 - 1` of
  // them. These are integers, so the stream never drifts.
  const held = new Int16Array(taps + pieceSamples);
  let holds = silence;
  let part = 0;

  /** The number of outputs that this many inputs give. */
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

/**
 * The low-pass filter of a resampler as a table: a Kaiser-windowed sinc with its cutoff slightly below the lower rate's
 * Nyquist frequency. Row `p` has the weights of the input samples around an output that lies `p / phases` samples after an
 * input sample.
 */
export interface Kernel {
  /** `phases + 1` rows of `taps` weights. The last row equals the first, shifted by one sample. */
  readonly weights: Float32Array;
  /** The number of input samples per output, a multiple of 8. Half of them lie after the output. */
  readonly taps: number;
  /** The number of rows per input sample. */
  readonly phases: number;
}

const zeroCrossings = 24; // on each side of the sinc; determines the filter's length, cost and latency
const stopbandDb = 70; // attenuation above the Nyquist frequency
const interpolatedPhases = 256; // per zero crossing; the error of linear interpolation is at most -94 dB

const kaiserBeta = 0.1102 * (stopbandDb - 8.7); // Kaiser's formulas, as in Oppenheim & Schafer, section 7.5.3
const transitionWidth = (stopbandDb - 7.95) / (2.285 * Math.PI * 2 * zeroCrossings); // relative to the Nyquist frequency

/**
 * Creates the kernel for a ratio of rates in lowest terms. It has one row for each of the `to` possible phases if these are
 * few, and otherwise enough rows to interpolate between. It has at most 31,000 weights.
 */
export function createKernel(from: number, to: number): Kernel {
  const bandwidth = Math.min(1, to / from); // of the input's Nyquist frequency
  const half = 4 * Math.ceil(zeroCrossings / bandwidth / 4);
  const taps = 2 * half;
  const phases = Math.min(to, Math.ceil(interpolatedPhases * bandwidth));
  const cutoff = bandwidth * (1 - transitionWidth / 2);
  const weights = new Float32Array((phases + 1) * taps);
  const row = new Float64Array(taps);
  for (let phase = 0; phase <= phases; phase++) {
    for (let tap = 0; tap < taps; tap++) {
      const distance = tap - half + 1 - phase / phases;
      row[tap] = sinc(cutoff * distance) * kaiser(distance / half);
    }
    const sum = row.reduce((total, weight) => total + weight, 0); // keeps a constant signal constant in every phase
    for (let tap = 0; tap < taps; tap++) weights[phase * taps + tap] = (row[tap] as number) / sum;
  }
  return { weights, taps, phases };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The Kaiser window, not normalized: 1 at -1 and 1, and 0 beyond. */
function kaiser(x: number): number {
  return Math.abs(x) > 1 ? 0 : besselI0(kaiserBeta * Math.sqrt(1 - x * x));
}

/** The modified Bessel function of the first kind and order zero, as a power series. */
function besselI0(x: number): number {
  let sum = 1;
  for (let k = 1, term = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** A kernel with at most 32,768 weights and 10,000 taps, and the distance between two outputs. */
interface FilterKernel extends Kernel {
  /** Each output lies `from / to` input samples after the previous one. Integers in lowest terms. */
  readonly from: number;
  readonly to: number;
}

/** Filters a piece of a stream. Holds no state between two calls. */
interface Filter {
  /** The input buffer, with room for `taps` + 1,024 samples. Write the piece here. */
  readonly input: Int16Array;
  /**
   * Filters the first `length` samples of `input` to `count` outputs (at least 1). The first output lies `part / to` samples
   * after input sample `taps / 2 - 1`. The next call overwrites the result.
   */
  run(kernel: FilterKernel, length: number, part: number, count: number): Int16Array;
}

/** The part of `WebAssembly` that is used here. The types of Node do not declare it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: FilterExports };
};

interface FilterExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  toFloats(samples: number, length: number, floats: number): void;
  filter(
    window: number,
    weights: number,
    taps: number,
    phases: number,
    part: number,
    from: number,
    to: number,
    output: number,
    count: number,
  ): void;
}

// Byte offsets in the module's memory.
const weightsAt = 0;
const inputAt = 128 * 1024;
const floatsAt = inputAt + 24 * 1024;
const outputAt = floatsAt + 48 * 1024;

/** Compiles the filter: about 400 bytes of WebAssembly, in less than 1 ms. */
function createFilter(): Filter {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(filterModule)));
  const { buffer } = exports.memory;
  const weights = new Float32Array(buffer, weightsAt, (inputAt - weightsAt) / 4);
  const output = new Int16Array(buffer, outputAt);
  let loaded: FilterKernel | undefined;

  return {
    input: new Int16Array(buffer, inputAt, (floatsAt - inputAt) / 2),
    run(kernel, length, part, count) {
      const { taps, phases, from, to } = kernel;
      // Up to 128 KB: more work than filtering a short frame.
      if (kernel !== loaded) weights.set(kernel.weights);
      loaded = kernel;
      exports.toFloats(inputAt, length, floatsAt);
      exports.filter(floatsAt, weightsAt, taps, phases, part, from, to, outputAt, count);
      return output.subarray(0, count);
    },
  };
}
