import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { Logger, Playback } from "@pipecat-ts/runner-core";
import { frameFault } from "./frame-check.ts";
import type { OutputLock } from "./output-lock.ts";
import type { Playout } from "./playout.ts";
import { yieldEvery } from "./yield-every.ts";

export type AudioSource = ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>;

export interface UtteranceOptions {
  readonly lock: OutputLock;
  readonly playout: Pick<Playout, "enqueue" | "interrupt" | "played" | "heardMs" | "queue">;
  readonly logger: Logger;
  /** A source returned a frame that is not valid audio. */
  rejected(fault: string): void;
  /** A source threw. */
  failed(error: Error): void;
}

/** One utterance in playout. */
export interface Utterance extends Playback {
  /** Ends the utterance, unless it is over, and cancels its source. What it has enqueued stays in the playout queue. */
  interrupt(): void;
  /**
   * Ends the utterance when the audio before it was played, and drops what is queued of it if nothing follows yet. The source
   * must return nothing until then.
   */
  cancel(): Promise<void>;
}

interface Source {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: AudioFrame | undefined }>;
  cancel(): Promise<unknown>;
}

/** Waits for the output lock, then reads `audio` no faster than it is played. `onEnd` is called at the end of one that did not fail. */
export function createUtterance(
  audio: AudioSource,
  { lock, playout, logger, rejected, failed }: UtteranceOptions,
  onEnd?: (end: Awaited<Playback["done"]>) => void,
): Utterance {
  const yielder = yieldEvery(256);
  const { promise: done, resolve, reject } = Promise.withResolvers<Awaited<Playback["done"]>>();
  const lease = lock.acquire();
  /** The open source, until it has ended or failed. */
  let source: Source | undefined;
  /** The end of the audio before it. */
  let beforeMs = 0;
  let beginMs: number | undefined;
  let endMs = 0;
  /** The final result of `playedMs`. */
  let finalMs: number | undefined;

  function playedMs(): number {
    return beginMs === undefined ? 0 : playout.heardMs(beginMs, endMs);
  }

  async function run(): Promise<void> {
    try {
      source = openSource(audio);
      await lease.acquired;
      beforeMs = playout.queue.endMs;
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
    await playout.played(beginMs === undefined ? beforeMs : endMs);
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
    beginMs ??= playout.queue.endMs;
    playout.enqueue(frame);
    endMs = playout.queue.endMs;
    return playout.queue.room();
  }

  function finish(interrupted: boolean): void {
    if (finalMs !== undefined) return;
    finalMs = playedMs();
    onEnd?.({ playedMs: finalMs, interrupted });
    resolve({ playedMs: finalMs, interrupted });
  }

  /** Not at once: a source may play something in response, which must not be dropped. */
  async function cancelSource(open: Source): Promise<void> {
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
      if (source) void cancelSource(source);
      source = undefined;
    },
    async cancel() {
      if (beginMs !== undefined) await playout.played(beginMs);
      const isLast = beginMs !== undefined && finalMs === undefined && playout.queue.endMs === endMs;
      utterance.interrupt();
      if (isLast) playout.interrupt();
    },
  };
  void run();
  return utterance;
}

function openSource(audio: AudioSource): Source {
  if ("getReader" in audio) {
    const reader = audio.getReader();
    return { next: () => reader.read(), cancel: () => reader.cancel() };
  }
  const iterator = audio[Symbol.asyncIterator]();
  // `async`, so that an exception becomes a rejection.
  return { next: async () => await iterator.next(), cancel: async () => await iterator.return?.() };
}
