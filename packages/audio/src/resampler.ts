import { type AudioFrame, requireInteger } from "./frame.ts";
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
 * Creates a resampler. Passes frequencies up to 0.93 of the lower rate's Nyquist frequency (7.4 kHz at 16,000 Hz, 3.7 kHz at
 * 8,000 Hz) within 0.1 dB, and attenuates those above the Nyquist frequency by at least 80 dB.
 *
 * Output sample 0 has the time of input sample 0. Therefore the last 64 samples at the lower rate (4 ms at 16,000 Hz, 8 ms
 * at 8,000 Hz) wait for the next input or for `flush`. Clips values beyond 16 bits. Holds at most 320 KB, and 4 KB for common
 * rates. The first resampler of a pair of rates takes up to 3 ms to create, later ones a few microseconds. Throws a RangeError if
 * a rate is out of range.
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
/** At most 4 MB. */
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
    if (samples.length <= pieceSamples) return processPiece(samples);
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

/** Resamples mono audio that is complete. Returns it unchanged if it has the rate. Throws a RangeError like `createResampler`. */
export function resample(audio: AudioFrame, toRate: number): AudioFrame {
  const { sampleRate: fromRate } = audio;
  if (fromRate === toRate) return audio;
  const resampler = createResampler({ fromRate, toRate });
  const [begin, end] = [resampler.process(audio.samples), resampler.flush()];
  const samples = new Int16Array(begin.length + end.length);
  samples.set(begin);
  samples.set(end, begin.length);
  return { samples, sampleRate: toRate, channels: 1 };
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

// The shortest Kaiser window with this passband and stopband.
const zeroCrossings = 64; // on each side of the sinc; determines the filter's length, cost and latency
const stopbandDb = 81.5; // attenuation above the Nyquist frequency
const cutoffShare = 0.96; // of the Nyquist frequency: −6 dB
const kaiserBeta = 0.1102 * (stopbandDb - 8.7); // Kaiser's formula, as in Oppenheim & Schafer, section 7.5.3
const maxWeights = 65_536;
const interpolatedPhases = 250; // per zero crossing; the error of linear interpolation is about -90 dB

/**
 * Creates the kernel for a ratio of rates in lowest terms. It has one row for each of the `to` possible phases if these fit
 * into `maxWeights`, and otherwise enough rows to interpolate between.
 */
export function createKernel(from: number, to: number): Kernel {
  const bandwidth = Math.min(1, to / from); // of the input's Nyquist frequency
  const half = 4 * Math.ceil(zeroCrossings / bandwidth / 4);
  const taps = 2 * half;
  const phases = (to + 1) * taps <= maxWeights ? to : Math.round(interpolatedPhases * bandwidth);
  const cutoff = bandwidth * cutoffShare;
  const weights = new Float32Array((phases + 1) * taps);
  const row = new Float64Array(taps);
  // Row `phases - p` is row `p` backwards.
  for (let phase = 0; phase <= phases / 2; phase++) {
    for (let tap = 0; tap < taps; tap++) {
      const distance = tap - half + 1 - phase / phases;
      row[tap] = sinc(cutoff * distance) * kaiser(distance / half);
    }
    const sum = row.reduce((total, weight) => total + weight, 0); // keeps a constant signal constant in every phase
    for (let tap = 0; tap < taps; tap++) row[tap] = (row[tap] as number) / sum;
    weights.set(row, phase * taps);
    weights.set(row.reverse(), (phases - phase) * taps);
  }
  return { weights, taps, phases };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The Kaiser window, not normalized: 1 at -1 and 1, and 0 beyond. */
function kaiser(x: number): number {
  const square = 1 - x * x;
  if (square < 0) return 0;
  let sum = 0;
  for (let k = 0; k < besselSeries.length; k++) sum = sum * square + (besselSeries[k] as number);
  return sum;
}

/**
 * I₀(`kaiserBeta` × √y), where I₀ is the modified Bessel function of the first kind and order zero, as a power series in y: its
 * coefficients, the highest power first. Those left out are below 1e-14.
 */
const besselSeries = createBesselSeries(22);

function createBesselSeries(length: number): Float64Array {
  const series = new Float64Array(length);
  let coefficient = 1;
  for (let k = 1; k <= length; k++) {
    series[length - k] = coefficient;
    coefficient *= (kaiserBeta / (2 * k)) ** 2;
  }
  return series;
}

/** A kernel and the distance between two outputs. */
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
   * after input sample `taps / 2 - 1`.
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
  filterFours(
    window: number,
    weights: number,
    taps: number,
    part: number,
    from: number,
    to: number,
    output: number,
  ): void;
}

// The module's memory, in bytes: the input with at most 25,600 samples, the same as floats, the output with at most 196,608
// samples, and from `slotsAt` on the weights of some kernels. Pages that no kernel uses take no physical memory.
const inputAt = 0;
const floatsAt = inputAt + 64 * 1024;
const outputAt = floatsAt + 128 * 1024;
const slotsAt = 9 * 65_536;

/** Compiles the filter: about 900 bytes of WebAssembly, in less than 1 ms. */
function createFilter(): Filter {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(filterModule)));
  const { buffer } = exports.memory;
  const slots = new Float32Array(buffer, slotsAt, maxKernels * maxWeights);
  const output = new Int16Array(buffer, outputAt, (slotsAt - outputAt) / 2);
  /** The kernel in each slot. */
  const loaded: FilterKernel[] = [];
  let nextSlot = 0;

  function slotOf(kernel: FilterKernel): number {
    const slot = loaded.indexOf(kernel);
    if (slot >= 0) return slot;
    const free = nextSlot;
    nextSlot = (nextSlot + 1) % maxKernels;
    loaded[free] = kernel;
    slots.set(kernel.weights, free * maxWeights);
    return free;
  }

  return {
    input: new Int16Array(buffer, inputAt, (floatsAt - inputAt) / 2),
    run(kernel, length, part, count) {
      const { taps, phases, from, to } = kernel;
      const weightsAt = slotsAt + slotOf(kernel) * maxWeights * 4;
      exports.toFloats(inputAt, length, floatsAt);
      const fours = phases === to ? Math.floor(count / (4 * to)) : 0;
      for (let index = 0; index < fours; index++)
        exports.filterFours(floatsAt + index * 16 * from, weightsAt, taps, part, from, to, outputAt + index * 8 * to);
      const done = fours * 4;
      const rest = count - done * to;
      if (rest > 0)
        exports.filter(
          floatsAt + done * from * 4,
          weightsAt,
          taps,
          phases,
          part,
          from,
          to,
          outputAt + done * to * 2,
          rest,
        );
      return output.slice(0, count);
    },
  };
}
