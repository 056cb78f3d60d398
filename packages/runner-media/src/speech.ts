import { type AudioFrame, decodePcm16 } from "@pipecat-ts/audio";
import type { Speech, SpeechEnd, SpeechProgress } from "@pipecat-ts/runner-core";
import type { DropCounters } from "./counters.ts";
import { validDurationMs } from "./frame-check.ts";
import { createSpeechText } from "./speech-text.ts";
import { createUtterance, type UtteranceOptions } from "./utterance.ts";
import { throttle } from "./yield-every.ts";

export interface SpeechOptions extends UtteranceOptions {
  readonly id: number;
  /** Whether the call has audio output. Without it, audio is discarded, and text is heard at once. */
  readonly audioOut: boolean;
  readonly drops: DropCounters;
  /** The caller has heard more of the text, or the speech with text has ended. */
  progressed(progress: SpeechProgress): void;
}

export interface OwnedSpeech {
  readonly speech: Speech;
  /** Ends the speech as interrupted, unless it is over. Returns the ms of audio that were written and not enqueued. */
  interrupt(): number;
  /** The caller has heard more. */
  advanced(): void;
}

interface Write {
  readonly frame: AudioFrame;
  readonly ms: number;
  /** The frame was enqueued and there is room for the next one, or the frame was dropped. */
  readonly done: () => void;
}

/** Creates an utterance whose source is a queue that the bot fills. Frames in it are held by reference. */
export function createSpeech(options: SpeechOptions): OwnedSpeech {
  const { id, audioOut, drops, logger, progressed } = options;
  const discardThrottle = throttle(50, 20);
  const aborted = new AbortController();
  const { promise: done, resolve } = Promise.withResolvers<SpeechEnd>();
  let writes: Write[] = [];
  let writtenMs = 0;
  /** Ms of audio written after it takes no more. */
  let lateMs = 0;
  /** `end` was called. */
  let ended = false;
  let cancelled = false;
  let result: SpeechEnd | undefined;
  /** The write whose frame was taken last. */
  let taken: Write | undefined;
  let changed: PromiseWithResolvers<void> | undefined;
  /** The first byte of a sample whose second byte comes with the next piece. */
  let oddByte = new Uint8Array(0);
  let warned = false;
  const spoken = createSpeechText({
    get writtenMs() {
      return writtenMs;
    },
    get complete() {
      return ended;
    },
  });

  const utterance = audioOut
    ? createUtterance({ [Symbol.asyncIterator]: () => ({ next }) }, options, finish)
    : undefined;

  async function next(): Promise<IteratorResult<AudioFrame, undefined>> {
    taken?.done();
    taken = undefined;
    while (!result && (cancelled || (writes.length === 0 && !ended))) {
      changed = Promise.withResolvers<void>();
      await changed.promise;
    }
    taken = writes.shift();
    return taken ? { value: taken.frame } : { done: true, value: undefined };
  }

  /** Returns the ms that were dropped. */
  function dropWrites(): number {
    const dropped = writes;
    writes = [];
    for (const write of dropped) write.done();
    return dropped.reduce((sum, { ms }) => sum + ms, 0);
  }

  function finish({ playedMs, interrupted }: { readonly playedMs: number; readonly interrupted: boolean }): void {
    if (result) return;
    spoken.advance(interrupted ? playedMs : Number.POSITIVE_INFINITY);
    result = { playedMs, interrupted, heardText: spoken.heardText };
    dropWrites();
    taken?.done();
    changed?.resolve();
    // Not at once: a listener may speak in response, which must not be dropped.
    if (interrupted) queueMicrotask(() => aborted.abort());
    report();
    resolve(result);
  }

  function report(): void {
    const { text, heardText } = spoken;
    if (text !== "") progressed({ id, text, heardText, ended: result !== undefined });
  }

  function advanced(): void {
    if (!result && spoken.advance(utterance ? utterance.playedMs : Number.POSITIVE_INFINITY)) report();
  }

  function frameOf(audio: AudioFrame | Uint8Array, sampleRate: number | undefined): AudioFrame {
    if (!(audio instanceof Uint8Array)) return audio;
    const bytes = oddByte.length > 0 ? Buffer.concat([oddByte, audio]) : audio;
    oddByte = Uint8Array.from(bytes.subarray(bytes.length & ~1));
    return { samples: decodePcm16(bytes), sampleRate: sampleRate ?? Number.NaN, channels: 1 };
  }

  /** Audio or text came after `end`: data is lost, unless the speech was interrupted. */
  function warnLate(): void {
    if (cancelled || result?.interrupted || warned) return;
    warned = true;
    logger.warn({ speech: id }, "audio or text dropped: it was added to a speech after its end");
  }

  const speech: Speech = {
    id,
    done,
    signal: aborted.signal,
    async write(audio: AudioFrame | Uint8Array, sampleRate?: number) {
      const frame = frameOf(audio, sampleRate);
      const ms = validDurationMs(frame);
      if (ended || cancelled || result) {
        lateMs += ms;
        drops.counters.outputStaleMs += ms;
        warnLate();
        return await discardThrottle.after();
      }
      writtenMs += ms;
      if (!utterance) return await discardThrottle.after();
      await new Promise<void>((resolveWrite) => {
        writes.push({ frame, ms, done: resolveWrite });
        changed?.resolve();
      });
    },
    text(delta, { atMs } = {}) {
      if (cancelled || result) return warnLate();
      spoken.add(delta, atMs);
      advanced();
    },
    end() {
      ended = true;
      changed?.resolve();
      if (!utterance && !cancelled) finish({ playedMs: 0, interrupted: false });
      return done;
    },
    cancel() {
      if (cancelled || result) return;
      cancelled = true;
      dropWrites();
      if (utterance) void utterance.cancel();
      else finish({ playedMs: 0, interrupted: true });
    },
    get playedMs() {
      return result?.playedMs ?? utterance?.playedMs ?? 0;
    },
    get writtenMs() {
      return writtenMs;
    },
    get droppedMs() {
      return lateMs + (result?.interrupted ? Math.max(0, writtenMs - result.playedMs) : 0);
    },
    get heardText() {
      return spoken.heardText;
    },
  };

  return {
    speech,
    advanced,
    interrupt() {
      const unenqueuedMs = dropWrites();
      if (utterance) utterance.interrupt();
      else finish({ playedMs: 0, interrupted: true });
      return unenqueuedMs;
    },
  };
}
