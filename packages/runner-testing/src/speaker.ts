import { type AudioFrame, durationMs } from "@pipecat-ts/audio";

/** One frame as the caller heard it. */
export interface HeardFrame {
  readonly frame: AudioFrame;
  /** When it began to sound, on the scale of `performance.now()`, in ms. */
  readonly atMs: number;
}

/**
 * The loudspeaker of a fake caller: plays in real time what it is given, one frame after the other, as a phone or a browser
 * with a buffer of its own does. Keeps everything that sounded. Runs no timer but those of `whenPlayed`.
 */
export interface Speaker {
  /** Takes a frame; it sounds when all before it have sounded. */
  play(frame: AudioFrame): void;
  /** Drops what has not sounded, the rest of a frame under way too: what the wire's clear asks for. */
  clear(): void;
  /** Calls back when all that was played before has sounded, or was cleared: for wires that acknowledge. */
  whenPlayed(callback: () => void): void;
  /** Every frame that has begun to sound by now, in order. */
  heard(): HeardFrame[];
  /** How much audio was taken, in ms, sounded or not. */
  readonly takenMs: number;
  /** How often it was cleared. */
  readonly clears: number;
  /** When it was cleared last, on the scale of `performance.now()`, in ms; `undefined` when it never was. */
  readonly clearedAtMs: number | undefined;
  /** Forgets who waits in `whenPlayed`. */
  close(): void;
}

/** A speaker that has played nothing yet. */
export function createSpeaker(): Speaker {
  let queue: HeardFrame[] = [];
  let freeAtMs = 0;
  let takenMs = 0;
  let clears = 0;
  let clearedAtMs: number | undefined;
  const waiting = new Map<NodeJS.Timeout, () => void>();

  return {
    play(frame) {
      const atMs = Math.max(performance.now(), freeAtMs);
      queue.push({ frame, atMs });
      freeAtMs = atMs + durationMs(frame);
      takenMs += durationMs(frame);
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
    heard() {
      const now = performance.now();
      return queue.filter((entry) => entry.atMs <= now);
    },
    get takenMs() {
      return takenMs;
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

/** What of a frame has sounded by `now`; `undefined` when nothing has. */
function cutAt(entry: HeardFrame, now: number): HeardFrame | undefined {
  const { samples, sampleRate, channels } = entry.frame;
  const sounded = Math.floor(((now - entry.atMs) / 1000) * sampleRate) * channels;
  if (sounded >= samples.length) return entry;
  return sounded > 0 ? { ...entry, frame: { ...entry.frame, samples: samples.slice(0, sounded) } } : undefined;
}
