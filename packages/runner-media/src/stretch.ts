import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { Logger, Playback } from "@pipecat-ts/runner-core";
import { createBreather } from "./breather.ts";
import { frameFault } from "./frame-fault.ts";
import type { Speaker } from "./speaker.ts";
import type { Turns } from "./turns.ts";

/** One stretch of speech given to `play`. */
export interface Stretch extends Playback {
  /** Ends it, unless it is over, and cancels what it reads. */
  interrupt(): void;
}

/** What a stretch is spoken with. */
export interface StretchOptions {
  readonly turns: Turns;
  readonly speaker: Pick<Speaker, "say" | "heard" | "heardMs" | "lostMs" | "queue">;
  readonly logger: Logger;
  /** A source gave what is no audio, for the reason given. */
  refused(fault: string): void;
  /** A source threw. */
  failed(error: Error): void;
}

interface Source {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: AudioFrame | undefined }>;
  cancel(): Promise<unknown>;
}

/** Gets in line for `audio`, reads it when its turn comes, and no faster than it is spoken. */
export function createStretch(
  audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>,
  { turns, speaker, logger, refused, failed }: StretchOptions,
): Stretch {
  const breather = createBreather(256);
  const { promise: done, resolve, reject } = Promise.withResolvers<Awaited<Playback["done"]>>();
  const turn = turns.enter();
  /** What is open of it, until it has ended or failed. */
  let source: Source | undefined;
  let beginMs: number | undefined;
  let endMs = 0;
  let beginLostMs = 0;
  /** What was heard of it, once that does not change any more. */
  let finalMs: number | undefined;

  function heardMs(): number {
    if (beginMs === undefined) return 0;
    const passedMs = Math.min(speaker.heardMs, endMs) - beginMs;
    return Math.max(0, passedMs - (speaker.lostMs - beginLostMs));
  }

  async function speak(): Promise<void> {
    try {
      source = openSource(audio);
      await turn.come;
      await read(source);
    } catch (error) {
      source = undefined;
      if (finalMs !== undefined) return logger.debug({ err: error }, "A source of speech failed after its end");
      finalMs = heardMs();
      reject(error);
      return failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      turn.leave();
    }
    source = undefined;
    await speaker.heard(endMs);
    finish(false);
  }

  async function read(from: Source): Promise<void> {
    while (finalMs === undefined) {
      const { done: ended, value } = await from.next();
      if (ended || finalMs !== undefined) return;
      await take(value as AudioFrame);
    }
  }

  function take(frame: AudioFrame): Promise<void> | undefined {
    const fault = frameFault(frame);
    if (fault !== undefined) refused(fault);
    if (fault !== undefined || durationMs(frame) === 0) return breather.after();
    if (beginMs === undefined) {
      beginMs = speaker.queue.endMs;
      beginLostMs = speaker.lostMs;
    }
    speaker.say(frame);
    endMs = speaker.queue.endMs;
    return speaker.queue.room();
  }

  function finish(interrupted: boolean): void {
    if (finalMs !== undefined) return;
    finalMs = heardMs();
    resolve({ playedMs: finalMs, interrupted });
  }

  /** Not at once: a source may speak in answer to it, and that is to be heard. */
  async function cancel(open: Source): Promise<void> {
    await null;
    try {
      await open.cancel();
    } catch (error) {
      logger.debug({ err: error }, "An interrupted source of speech failed to stop");
    }
  }

  const stretch: Stretch = {
    done,
    get playedMs() {
      return finalMs ?? heardMs();
    },
    interrupt() {
      finish(true);
      turn.leave();
      if (source) void cancel(source);
      source = undefined;
    },
  };
  void speak();
  return stretch;
}

function openSource(audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>): Source {
  if ("getReader" in audio) {
    const reader = audio.getReader();
    return { next: () => reader.read(), cancel: () => reader.cancel() };
  }
  const iterator = audio[Symbol.asyncIterator]();
  // `async`, so that one that throws rejects.
  return { next: async () => await iterator.next(), cancel: async () => await iterator.return?.() };
}
