import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import { createBrake, createBreather } from "./breather.ts";
import type { Clock } from "./clock.ts";
import { frameFault } from "./frame-fault.ts";
import { createPipeBacklog } from "./pipe-backlog.ts";
import type { Speaker } from "./speaker.ts";
import type { Turns } from "./turns.ts";

/** The bot's way to speak by writing frames. */
export interface OutputStream {
  /**
   * Never errors by itself. A write resolves when no more than 200 ms wait to be sent; frames whose writes nobody awaited
   * wait in the stream by reference. Closing it resolves when all was heard.
   */
  readonly stream: WritableStream<AudioFrame>;
  /** After `turns.renew()`: what a pipe still holds is dropped as it comes. */
  interrupted(): void;
  /** From now on writes are dropped; those begun before are not. */
  seal(): void;
  /** The call is over: holds no timer any more. */
  release(): void;
}

/** What an output stream is built from. */
export interface OutputStreamOptions {
  readonly clock: Clock;
  readonly turns: Turns;
  readonly speaker: Pick<Speaker, "say" | "heard" | "queue">;
  /** A write was no audio, for the reason given. */
  refused(fault: string): void;
  /** The bot has aborted the stream. */
  aborted(): void;
}

/** One frame of 20 ms waits in the stream itself, so that a pipe has its next one at hand. */
const highWaterMarkMs = 20;

export function createOutputStream(options: OutputStreamOptions): OutputStream {
  const { clock, turns, speaker } = options;
  const { queue } = speaker;
  const breather = createBreather(256);
  /** One second of audio in 20 ms, so that a bot that writes on to nobody costs next to nothing. */
  const brake = createBrake(50, 20);
  /** Where the last write that is to be heard ends. */
  let lastMs = 0;
  /** How many further writes are not dropped. */
  let admitted = Number.POSITIVE_INFINITY;
  /** The writer of `getWriter()` that holds `output`: its every write is the bot's own, begun when it says. Else a pipe may. */
  let writing: WritableStreamDefaultWriter<AudioFrame> | undefined;

  const stream = new WritableStream<AudioFrame>(
    {
      start(controller) {
        // Not in `abort` below: that waits for the write under way.
        const { signal } = controller as typeof controller & { readonly signal: AbortSignal };
        signal.addEventListener("abort", abort, { once: true });
      },
      write(frame) {
        const turn = turns.awaitWrite();
        return turn ? turn.then(() => arrive(frame)) : arrive(frame);
      },
      close() {
        turns.forgetWrites();
        return speaker.heard(lastMs);
      },
    },
    {
      highWaterMark: highWaterMarkMs,
      size(frame) {
        const ms = msOf(frame);
        turns.beginWrite(ms);
        return ms;
      },
    },
  );
  const backlog = createPipeBacklog(clock, () => !stream.locked);

  const getWriter = stream.getWriter.bind(stream);
  stream.getWriter = () => {
    const writer = getWriter();
    const releaseLock = writer.releaseLock.bind(writer);
    writer.releaseLock = () => {
      releaseLock();
      if (writing === writer) writing = undefined;
    };
    writing = writer;
    backlog.end();
    return writer;
  };

  function abort(): void {
    turns.forgetWrites();
    options.aborted();
  }

  function arrive(frame: AudioFrame): Promise<void> | undefined {
    const ms = msOf(frame);
    const old = turns.arriveWrite(ms);
    admitted -= 1;
    return old ? breather.after() : take(frame, ms);
  }

  function take(frame: AudioFrame, ms: number): Promise<void> | undefined {
    if (admitted < 0) return brake.after();
    const fault = frameFault(frame);
    if (fault !== undefined) options.refused(fault);
    if (ms === 0) return breather.after();
    if (backlog.holds(ms)) return skipBacklog();
    speaker.say(frame);
    lastMs = queue.endMs;
    return queue.room();
  }

  function skipBacklog(): Promise<void> | undefined {
    const pause = breather.after();
    if (!pause) backlog.dropped();
    return pause?.then(() => backlog.dropped());
  }

  return {
    get stream() {
      // Whoever takes it now, when nobody holds it, does not go on with an old pipe.
      if (!stream.locked) backlog.end();
      return stream;
    },
    interrupted() {
      if (stream.locked && !writing) backlog.begin();
    },
    seal() {
      admitted = Math.min(admitted, turns.writing);
    },
    release: backlog.end,
  };
}

/** How long a frame sounds; 0 when it is no audio. */
function msOf(frame: AudioFrame): number {
  return frameFault(frame) === undefined ? durationMs(frame) : 0;
}
