/**
 * The low-pass filter of a resampler as a table: a sinc, cut off a little below the lower rate's Nyquist frequency, under a
 * Kaiser window. Row `p` holds the weights of the input samples around an output instant that lies `p / phases` of a
 * sample after an input sample.
 */
export interface Kernel {
  /** Rows of `taps` weights, one after the other, `phases + 1` of them: the last is the first, one sample on. */
  readonly weights: Float32Array;
  /** Input samples that one output sample is made of; a multiple of 8. Half of them lie after its instant. */
  readonly taps: number;
  /** Instants per input sample that have a row. */
  readonly phases: number;
}

const zeroCrossings = 24; // on each side of the sinc: the filter's length, and so its cost and its latency
const stopbandDb = 70; // how far what lies above the Nyquist frequency is pushed down
const interpolatedPhases = 256; // per zero crossing; linear interpolation between them is 94 dB down at worst

const kaiserBeta = 0.1102 * (stopbandDb - 8.7); // Kaiser's formulas, as in Oppenheim & Schafer, section 7.5.3
const transitionWidth = (stopbandDb - 7.95) / (2.285 * Math.PI * 2 * zeroCrossings); // as a part of the Nyquist frequency

/**
 * The kernel for a ratio of rates in lowest terms. There is a row for every instant that occurs (`to` of them) when these
 * are few, else enough rows to interpolate between; either way at most 31,000 weights.
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
    const sum = row.reduce((total, weight) => total + weight, 0); // so that a constant stays itself in every phase
    for (let tap = 0; tap < taps; tap++) weights[phase * taps + tap] = (row[tap] as number) / sum;
  }
  return { weights, taps, phases };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The Kaiser window, unnormalised: 1 at the edges -1 and 1, 0 beyond. */
function kaiser(x: number): number {
  return Math.abs(x) > 1 ? 0 : besselI0(kaiserBeta * Math.sqrt(1 - x * x));
}

/** The modified Bessel function of the first kind and order zero, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  for (let k = 1, term = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
