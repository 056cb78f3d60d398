import type { AudioFrame } from "@pipecat-ts/audio";

/** One frame as the caller heard it. */
export interface PlayedFrame {
  readonly frame: AudioFrame;
  /** When its playout began, on the scale of `performance.now()`, in ms. */
  readonly atMs: number;
}

/**
 * The playout of a simulated caller: plays frames one after the other in real time, as a phone or a browser with a buffer does,
 * and records what was played.
 */
export interface Playout {
  /** Enqueues a frame behind all others. */
  enqueue(frame: AudioFrame): void;
  /** Drops what has not been played, including the rest of the current frame: for the wire's clear message. */
  clear(): void;
  /** Calls back when everything enqueued before was played or cleared: for wires with acknowledgements. */
  whenPlayed(callback: () => void): void;
  /** Every frame whose playout has begun, in order. */
  played(): PlayedFrame[];
  /** The frames of `played` from this index on. Takes no longer in a long call. */
  playedSince(index: number): PlayedFrame[];
  /** The frames that were played to their end since the last call, in order. Forgets them, so that a long call takes no more memory. */
  takePlayed(): PlayedFrame[];
  /** How much audio was enqueued, in ms. */
  readonly enqueuedMs: number;
  /** How often `clear` was called. */
  readonly clears: number;
  /** When `clear` was last called, on the scale of `performance.now()`, in ms. */
  readonly clearedAtMs: number | undefined;
  /** Cancels all callbacks of `whenPlayed`. */
  close(): void;
}

/** An empty playout. */
export function createPlayout(): Playout {
  let queue: PlayedFrame[] = [];
  let freeAtMs = 0;
  let enqueuedMs = 0;
  let clears = 0;
  let clearedAtMs: number | undefined;
  const waiting = new Map<NodeJS.Timeout, () => void>();

  return {
    enqueue(frame) {
      const atMs = Math.max(performance.now(), freeAtMs);
      queue.push({ frame, atMs });
      freeAtMs = atMs + durationMs(frame);
      enqueuedMs += durationMs(frame);
    },
    clear() {
      clears++;
      const now = performance.now();
      clearedAtMs = now;
      queue = queue.flatMap((entry) => cutAt(entry, now) ?? []);
      freeAtMs = Math.min(freeAtMs, now);
      const callbacks = [...waiting.values()];
      for (const timer of waiting.keys()) clearTimeout(timer);
      waiting.clear();
      for (const callback of callbacks) callback();
    },
    whenPlayed(callback) {
      const timer = setTimeout(
        () => {
          waiting.delete(timer);
          callback();
        },
        Math.max(0, freeAtMs - performance.now()),
      );
      waiting.set(timer, callback);
    },
    played() {
      const now = performance.now();
      return queue.filter((entry) => entry.atMs <= now);
    },
    playedSince(index) {
      const now = performance.now();
      let end = index;
      for (let entry = queue[end]; entry && entry.atMs <= now; entry = queue[end]) end += 1;
      return queue.slice(index, end);
    },
    takePlayed() {
      const now = performance.now();
      const playing = queue.findIndex(({ frame, atMs }) => atMs + durationMs(frame) > now);
      return queue.splice(0, playing < 0 ? queue.length : playing);
    },
    get enqueuedMs() {
      return enqueuedMs;
    },
    get clears() {
      return clears;
    },
    get clearedAtMs() {
      return clearedAtMs;
    },
    close() {
      for (const timer of waiting.keys()) clearTimeout(timer);
      waiting.clear();
    },
  };
}

function durationMs({ samples, sampleRate, channels }: AudioFrame): number {
  return (samples.length / channels / sampleRate) * 1000;
}

/** The part of a frame that was played before `now`; `undefined` when none was. */
function cutAt(entry: PlayedFrame, now: number): PlayedFrame | undefined {
  const { samples, sampleRate, channels } = entry.frame;
  const count = Math.floor(((now - entry.atMs) / 1000) * sampleRate) * channels;
  if (count >= samples.length) return entry;
  return count > 0 ? { ...entry, frame: { ...entry.frame, samples: samples.slice(0, count) } } : undefined;
}
