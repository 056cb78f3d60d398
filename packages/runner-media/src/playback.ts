import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { Logger, Playback } from "@pipecat-ts/runner-core";
import { frameFault } from "./frame-check.ts";
import type { OutputLock } from "./output-lock.ts";
import type { Playout } from "./playout.ts";
import { yieldEvery } from "./yield-every.ts";

/** The utterances given to `Transport.play`. */
export interface Playbacks {
  play(audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>): Playback;
  /** Ends all utterances as interrupted. Call it before the playout forgets what was played. */
  interrupt(): void;
  /** The utterance that the caller hears, or heard last, among those that are not over. */
  readonly current: Playback | undefined;
}

export interface PlaybackOptions {
  readonly lock: OutputLock;
  readonly playout: Pick<Playout, "enqueue" | "played" | "playedMs" | "lostMs" | "queue">;
  readonly logger: Logger;
  /** A source returned a frame that is not valid audio. */
  rejected(fault: string): void;
  /** A source threw. */
  failed(error: Error): void;
}

interface Utterance extends Playback {
  /** Ends the utterance, unless it is over, and cancels its source. */
  interrupt(): void;
}

export function createPlaybacks(options: PlaybackOptions): Playbacks {
  const utterances = new Set<Utterance>();
  return {
    play(audio) {
      const utterance = createUtterance(audio, options);
      utterances.add(utterance);
      const forget = () => void utterances.delete(utterance);
      // This also handles the rejection, which bots need not await: `failed` has reported the error.
      utterance.done.then(forget, forget);
      return utterance;
    },
    interrupt() {
      for (const utterance of utterances) utterance.interrupt();
    },
    get current() {
      return [...utterances].findLast(({ playedMs }) => playedMs > 0);
    },
  };
}

interface Source {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: AudioFrame | undefined }>;
  cancel(): Promise<unknown>;
}

/** Waits for the output lock, then reads `audio` no faster than it is played. */
function createUtterance(
  audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>,
  { lock, playout, logger, rejected, failed }: PlaybackOptions,
): Utterance {
  const yielder = yieldEvery(256);
  const { promise: done, resolve, reject } = Promise.withResolvers<Awaited<Playback["done"]>>();
  const lease = lock.acquire();
  /** The open source, until it has ended or failed. */
  let source: Source | undefined;
  let beginMs: number | undefined;
  let endMs = 0;
  let beginLostMs = 0;
  /** The final result of `playedMs`. */
  let finalMs: number | undefined;

  function playedMs(): number {
    if (beginMs === undefined) return 0;
    const passedMs = Math.min(playout.playedMs, endMs) - beginMs;
    return Math.max(0, passedMs - (playout.lostMs - beginLostMs));
  }

  async function run(): Promise<void> {
    try {
      source = openSource(audio);
      await lease.acquired;
      await read(source);
    } catch (error) {
      source = undefined;
      if (finalMs !== undefined) return logger.debug({ err: error }, "audio source failed after its end");
      finalMs = playedMs();
      reject(error);
      return failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      lease.release();
    }
    source = undefined;
    await playout.played(endMs);
    finish(false);
  }

  async function read(from: Source): Promise<void> {
    while (finalMs === undefined) {
      const { done: ended, value } = await from.next();
      if (ended || finalMs !== undefined) return;
      await enqueue(value as AudioFrame);
    }
  }

  function enqueue(frame: AudioFrame): Promise<void> | undefined {
    const fault = frameFault(frame);
    if (fault !== undefined) rejected(fault);
    if (fault !== undefined || durationMs(frame) === 0) return yielder.after();
    if (beginMs === undefined) {
      beginMs = playout.queue.endMs;
      beginLostMs = playout.lostMs;
    }
    playout.enqueue(frame);
    endMs = playout.queue.endMs;
    return playout.queue.room();
  }

  function finish(interrupted: boolean): void {
    if (finalMs !== undefined) return;
    finalMs = playedMs();
    resolve({ playedMs: finalMs, interrupted });
  }

  /** Not at once: a source may play something in response, which must not be dropped. */
  async function cancel(open: Source): Promise<void> {
    await null;
    try {
      await open.cancel();
    } catch (error) {
      logger.debug({ err: error }, "interrupted audio source failed to stop");
    }
  }

  const utterance: Utterance = {
    done,
    get playedMs() {
      return finalMs ?? playedMs();
    },
    interrupt() {
      finish(true);
      lease.release();
      if (source) void cancel(source);
      source = undefined;
    },
  };
  void run();
  return utterance;
}

function openSource(audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>): Source {
  if ("getReader" in audio) {
    const reader = audio.getReader();
    return { next: () => reader.read(), cancel: () => reader.cancel() };
  }
  const iterator = audio[Symbol.asyncIterator]();
  // `async`, so that an exception becomes a rejection.
  return { next: async () => await iterator.next(), cancel: async () => await iterator.return?.() };
}
