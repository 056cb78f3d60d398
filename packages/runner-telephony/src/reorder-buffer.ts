import type { AudioFrame } from "@pipecat-ts/audio";
import type { Pacer } from "@pipecat-ts/runner-core";
import type { CallerAudio, CallerPacket } from "./codec.ts";

type Piece = CallerAudio | CallerPacket;

/** Puts the caller's audio in order and fills gaps with silence. */
export interface ReorderBuffer {
  push(piece: Piece): void;
  /** Stops the output, and drops pieces that still wait. */
  end(): void;
  /** Pieces that arrived too late and were dropped; invalid packets; silence inserted, in ms. */
  readonly counters: { readonly late: number; readonly invalid: number; readonly filledMs: number };
}

export interface ReorderBufferOptions {
  readonly pacer: Pacer;
  /** Sample rate of input and output, in Hz. */
  readonly sampleRate: number;
  output(frame: AudioFrame): void;
}

/** How many pieces wait for a missing one: 100 ms where a piece has 20 ms. */
const maxWaiting = 5;
/** A shorter gap is rounding in the carrier's timestamps. */
const minGapMs = 5;
/** Upper bound on inserted silence beyond wall time: some carriers send samples as timestamps. */
const maxAheadMs = 60;
/** After this time without audio, silence is inserted. */
const idleMs = 500;
const idleCheckMs = 100;
/** If a check is late by this much, the process was blocked, and audio that arrived meanwhile is not read yet. */
const blockedMs = 50;
const maxFillMs = 1_000;

/**
 * Reorders pieces that overtook at most five others. Pieces that arrive later are dropped and counted. A gap in the carrier's
 * timestamps is filled with silence, and so is a pause of more than 500 ms, so that voice detectors and recordings keep
 * real time. Pieces that arrive in order are never dropped, however late.
 */
export function createReorderBuffer({ pacer, sampleRate, output }: ReorderBufferOptions): ReorderBuffer {
  const { clock } = pacer;
  const counters = { late: 0, invalid: 0, filledMs: 0 };
  const waiting = new Map<number, Piece>();
  let nextSequence: number | undefined;
  let consecutiveLate = 0;
  let stopIdleChecks: (() => void) | undefined;
  let ended = false;
  let startedAtMs = 0;
  let arrivedAtMs = 0;
  let checkedAtMs = 0;
  let outputMs = 0;
  /** Timestamp of the end of the last piece, on the carrier's clock. */
  let endTimestampMs: number | undefined;
  /** Silence inserted since that piece because nothing arrived. */
  let idleFilledMs = 0;

  function reorder(piece: Piece, sequence: number): void {
    nextSequence ??= sequence;
    if (sequence < nextSequence) {
      counters.late += 1;
      consecutiveLate += 1;
      // A carrier that restarts its count, or does not count, must not stay silent.
      if (consecutiveLate <= maxWaiting) return;
      while (waiting.size > 0) skipMissing();
      nextSequence = sequence;
    }
    consecutiveLate = 0;
    waiting.set(sequence, piece);
    drain();
    if (waiting.size > maxWaiting) skipMissing();
  }

  function drain(): void {
    for (let next = waiting.get(nextSequence ?? 0); next; next = waiting.get(nextSequence ?? 0)) {
      waiting.delete(nextSequence ?? 0);
      nextSequence = (nextSequence ?? 0) + 1;
      emit(next);
    }
  }

  function skipMissing(): void {
    nextSequence = Math.min(...waiting.keys());
    drain();
  }

  function emit(piece: Piece): void {
    const samples = "decode" in piece ? piece.decode() : piece.samples;
    if (!samples) counters.invalid += 1;
    if (!samples || samples.length === 0) return;
    const { timestampMs } = piece;
    const ms = (samples.length / sampleRate) * 1000;
    if (timestampMs !== undefined) {
      const gapMs = endTimestampMs === undefined ? 0 : timestampMs - endTimestampMs - idleFilledMs;
      if (gapMs >= minGapMs) fill(Math.min(gapMs, clock.now() - startedAtMs - outputMs + maxAheadMs));
      endTimestampMs = timestampMs + ms;
    }
    idleFilledMs = 0;
    outputMs += ms;
    output({ samples, sampleRate, channels: 1 });
  }

  /** Inserts up to `wantedMs` of silence, and returns how much. */
  function fill(wantedMs: number): number {
    const count = Math.floor((Math.min(wantedMs, maxFillMs) * sampleRate) / 1000);
    if (count <= 0) return 0;
    const ms = (count / sampleRate) * 1000;
    counters.filledMs += ms;
    outputMs += ms;
    output({ samples: new Int16Array(count), sampleRate, channels: 1 });
    return ms;
  }

  function checkIdle(): void {
    const nowMs = clock.now();
    const wasBlocked = nowMs - checkedAtMs > idleCheckMs + blockedMs;
    checkedAtMs = nowMs;
    if (wasBlocked || nowMs - arrivedAtMs < idleMs) return;
    while (waiting.size > 0) skipMissing();
    idleFilledMs += fill(nowMs - startedAtMs - outputMs);
  }

  return {
    counters,
    push(piece) {
      if (ended || ("samples" in piece && piece.samples.length === 0)) return;
      arrivedAtMs = clock.now();
      if (!stopIdleChecks) {
        startedAtMs = arrivedAtMs;
        checkedAtMs = arrivedAtMs;
        stopIdleChecks = pacer.every(idleCheckMs, checkIdle);
      }
      if (piece.sequence === undefined) emit(piece);
      else reorder(piece, piece.sequence);
    },
    end() {
      if (ended) return;
      ended = true;
      stopIdleChecks?.();
      waiting.clear();
    },
  };
}
