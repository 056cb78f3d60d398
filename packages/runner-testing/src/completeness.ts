import { type AudioFrame, excerpt, findGaps, findVoice, join, resample, sweep } from "@pipecat-ts/audio";
import { expect } from "./assertions.ts";

/** A part of the speech, or of what was heard. */
export interface Piece {
  /** From the start of the speech, in ms. */
  readonly atMs: number;
  readonly durationMs: number;
}

/** What a listener heard of `createSpeech`. */
export interface Comparison {
  /** How much of the speech was heard, in ms. */
  readonly heardMs: number;
  /** The pieces that were not heard. */
  readonly lost: readonly Piece[];
  /** The pieces that were heard again, where the repetition began. */
  readonly repeated: readonly Piece[];
  /** Silence inside the speech. */
  readonly pauses: readonly Piece[];
}

const sweepMs = 1_000;
/** Every phone line carries these frequencies. */
const fromHz = 500;
const toHz = 2_900;
const hzPerMs = (toHz - fromHz) / sweepMs;

/** The rate at which audio is measured: enough for `toHz`. */
const measuredRate = 8_000;
const windowMs = 20;
const stepMs = 5;
/** How long after a change of the speech the frequency is stable. */
const unsettledMs = windowMs / 2 + stepMs;
/** A smaller change is an inaccuracy of the measurement. */
const leastMs = 8;
/** The first and the last sound are found with the resolution of `findVoice`. */
const leastAtEndsMs = 12;

/**
 * Speech whose every 20 ms differ: a sweep that begins again each second. A listener's audio tells which parts of it were lost or
 * repeated, because the frequency gives the position.
 */
export function createSpeech(durationMs: number, sampleRate: number, levelDb: number): AudioFrame {
  const one = sweep(fromHz, toHz, { durationMs: sweepMs, sampleRate, levelDb });
  return excerpt(join(Array.from({ length: Math.ceil(durationMs / sweepMs) }, () => one)), 0, durationMs);
}

/**
 * Finds what was lost or repeated of the `spokenMs` of `createSpeech` in mono `audio`, with a resolution of some ms. Works after
 * lossy codecs, at any rate from 8,000 Hz, with silence around the speech and in it.
 */
export function compareSpeech(audio: AudioFrame, spokenMs: number): Comparison {
  const measured = resample(audio, measuredRate);
  const voice = findVoice(measured);
  if (!voice) return { heardMs: 0, lost: [{ atMs: 0, durationMs: spokenMs }], repeated: [], pauses: [] };
  const gaps = findGaps(measured);
  const pauses = gaps.map(({ atMs, durationMs }) => ({ atMs: Math.round(atMs - voice.fromMs), durationMs }));
  const lost: Piece[] = [];
  const repeated: Piece[] = [];
  const note = (atMs: number, durationMs: number) => {
    const piece = { atMs: Math.max(0, Math.round(atMs)), durationMs: Math.round(Math.abs(durationMs)) };
    (durationMs > 0 ? lost : repeated).push(piece);
  };

  /** How far the speech is ahead of the sound that was heard so far: the sum of all losses, without the repetitions. */
  let aheadMs: number | undefined;
  let pausesBefore = 0;
  for (const reading of settled(readPositions(measured, voice, gaps))) {
    const changeMs = reading.aheadMs - (aheadMs ?? 0);
    const pausesNow = reading.pausesBefore;
    if (Math.abs(changeMs) >= (aheadMs === undefined ? leastAtEndsMs : leastMs)) {
      note(reading.heardMs + (aheadMs ?? 0) - unsettledMs, changeMs);
      aheadMs = reading.aheadMs;
    } else if (aheadMs === undefined || pausesNow > pausesBefore) {
      aheadMs = reading.aheadMs; // where a sound ends is inaccurate
    }
    pausesBefore = pausesNow;
  }
  const soundMs = voice.toMs - voice.fromMs - gaps.reduce((sum, gap) => sum + gap.durationMs, 0);
  const endMs = aheadMs === undefined ? 0 : soundMs + aheadMs;
  const missingMs = spokenMs - endMs;
  if (Math.abs(missingMs) >= leastAtEndsMs) note(endMs, missingMs);
  const heardMs = spokenMs - lost.reduce((sum, piece) => sum + piece.durationMs, 0);
  return { heardMs: Math.max(0, heardMs), lost, repeated, pauses };
}

/** What `expectComplete` tolerates, in ms. */
export interface Tolerance {
  /** How much may be lost, and how much repeated. */
  readonly changedMs: number;
  /** How long each pause may be. */
  readonly pauseMs: number;
}

const checks = {
  bot: "Check that each received frame reaches call.audio() once and in order, and that the fake caller sends every frame",
  caller:
    "Check that the port's send() puts each frame on the wire once and in order, and that the fake caller enqueues every frame",
};

/** Throws an AssertionError unless `listener` heard the `spokenMs` of `createSpeech` once, in order and without pauses. */
export function expectComplete(
  listener: keyof typeof checks,
  audio: AudioFrame,
  spokenMs: number,
  { changedMs, pauseMs }: Tolerance,
): void {
  const { lost, repeated, pauses } = compareSpeech(audio, spokenMs);
  const check = (what: string, pieces: readonly Piece[], toleratedMs: number) => {
    const total = totalMs(pieces);
    const tolerated = toleratedMs > 0 ? ` (tolerated: ${Math.round(toleratedMs)} ms)` : "";
    const found = `of ${spokenMs} ms of speech, the ${listener} ${what} ${total} ms${tolerated}: ${list(pieces, spokenMs)}`;
    expect(total <= toleratedMs, `${found}. ${checks[listener]}.`);
  };
  check("did not hear", lost, changedMs);
  check("heard twice", repeated, changedMs);
  const longPauses = pauses.filter(({ durationMs }) => durationMs > pauseMs);
  check("heard pauses of", longPauses, 0);
}

function totalMs(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

function list(pieces: readonly Piece[], spokenMs: number): string {
  const texts = pieces.slice(0, 5).map(({ atMs, durationMs }) => {
    const isEnd = durationMs >= 100 && Math.abs(atMs + durationMs - spokenMs) < leastAtEndsMs;
    return isEnd ? `everything after ${atMs} ms` : `${durationMs} ms at ${atMs} ms`;
  });
  return [...texts, ...(pieces.length > 5 ? [`and ${pieces.length - 5} more`] : [])].join(", ");
}

/** Which part of the speech was heard when. */
interface Reading {
  /** How much sound, without pauses, came before it, in ms. */
  readonly heardMs: number;
  /** How much more of the speech came before it, in ms. */
  readonly aheadMs: number;
  readonly pausesBefore: number;
}

function readPositions(
  audio: AudioFrame,
  voice: { readonly fromMs: number; readonly toMs: number },
  gaps: readonly Piece[],
): Reading[] {
  const readings: Reading[] = [];
  for (let atMs = voice.fromMs; atMs + windowMs <= voice.toMs; atMs += stepMs) {
    if (gaps.some((gap) => gap.atMs < atMs + windowMs && atMs < gap.atMs + gap.durationMs)) continue;
    const start = (atMs * measuredRate) / 1_000;
    const hz = measureFrequency(audio.samples.subarray(start, start + windowSize));
    if (hz === undefined) continue;
    const before = gaps.filter((gap) => gap.atMs < atMs);
    const heardMs = atMs + windowMs / 2 - voice.fromMs - before.reduce((sum, gap) => sum + gap.durationMs, 0);
    const expectedMs = heardMs + (readings.at(-1)?.aheadMs ?? 0);
    const inSweepMs = (hz - fromHz) / hzPerMs;
    const positionMs = inSweepMs + Math.round((expectedMs - inSweepMs) / sweepMs) * sweepMs;
    readings.push({ heardMs, aheadMs: positionMs - heardMs, pausesBefore: before.length });
  }
  return readings;
}

/** Without the readings where one part of the speech changes to another. */
function settled(readings: readonly Reading[]): Reading[] {
  return readings.filter((reading, index) =>
    [readings[index - 1], readings[index + 1]].every(
      (next) => next !== undefined && Math.abs(next.aheadMs - reading.aheadMs) <= 2,
    ),
  );
}

const binHz = 1_000 / windowMs;
const windowSize = (measuredRate * windowMs) / 1_000;
const hann = Float64Array.from({ length: windowSize }, (_, index) => {
  return 0.5 - 0.5 * Math.cos((2 * Math.PI * (index + 0.5)) / windowSize);
});

/** The frequency of a tone in `fromHz` to `toHz`; `undefined` for other sounds. */
function measureFrequency(samples: Int16Array): number | undefined {
  const weighted = hann.map((weight, index) => weight * (samples[index] ?? 0));
  const power = (hz: number) => powerAt(weighted, (2 * Math.PI * hz) / measuredRate);
  let best = fromHz;
  let most = 0;
  for (let hz = fromHz - binHz; hz <= toHz + binHz; hz += binHz) {
    const here = power(hz);
    if (here > most) [best, most] = [hz, here];
  }
  for (const width of [binHz, binHz / 5]) best += width * vertex(power(best - width), power(best), power(best + width));
  // Of a pure tone, this is 1.
  const energy = weighted.reduce((sum, sample) => sum + sample * sample, 0);
  const purity = (3 * power(best)) / (energy * windowSize);
  return purity > 0.7 ? best : undefined;
}

/** The squared magnitude of the spectrum at `turn` radians per sample, by the Goertzel algorithm. */
function powerAt(samples: Float64Array, turn: number): number {
  const coefficient = 2 * Math.cos(turn);
  let last = 0;
  let before = 0;
  for (let index = 0; index < samples.length; index++) {
    const next = (samples[index] ?? 0) + coefficient * last - before;
    before = last;
    last = next;
  }
  return last * last + before * before - coefficient * last * before;
}

/** The position, from −1 to 1, of the peak of the parabola through the logarithms of three neighbors. */
function vertex(...powers: [number, number, number]): number {
  const [left, middle, right] = powers.map((power) => Math.log(power + 1e-9)) as [number, number, number];
  const curve = left - 2 * middle + right;
  return curve < 0 ? Math.max(-1, Math.min(1, (left - right) / (2 * curve))) : 0;
}
