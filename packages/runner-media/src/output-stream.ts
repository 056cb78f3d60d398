import type { AudioFrame } from "@pipecat-ts/audio";
import type { Clock } from "@pipecat-ts/runner-core";
import type { DropCounters } from "./counters.ts";
import { frameFault, validDurationMs } from "./frame-check.ts";
import type { OutputLock } from "./output-lock.ts";
import type { Playout } from "./playout.ts";
import { throttle, yieldEvery } from "./yield-every.ts";

/** `Transport.output`. */
export interface OutputStream {
  /**
   * Never fails by itself. A write resolves when no more than 200 ms are queued; frames of writes that are not awaited stay in
   * the stream by reference. Closing it resolves when everything was played.
   */
  readonly stream: WritableStream<AudioFrame>;
  /** After `lock.newGeneration()`: drops the frames that a pipe still delivers. */
  interrupted(): void;
  /** Drops writes from now on, but not those that were called before. */
  seal(): void;
  /** The call is over: stops all timers. */
  release(): void;
}

export interface OutputStreamOptions {
  readonly clock: Clock;
  readonly lock: OutputLock;
  readonly playout: Pick<Playout, "enqueue" | "played" | "queue">;
  readonly drops: DropCounters;
  /** A write was not valid audio. */
  rejected(fault: string): void;
  /** The bot has aborted the stream. `writtenMs` is the position at the end of the last write. */
  aborted(writtenMs: number): void;
}

/** The stream itself buffers one frame of 20 ms, so that a pipe has its next one ready. */
const highWaterMarkMs = 20;

export function createOutputStream(options: OutputStreamOptions): OutputStream {
  const { clock, lock, playout, drops } = options;
  const { queue } = playout;
  const yielder = yieldEvery(256);
  /** One second of audio in 20 ms, so that a bot that writes without a caller costs almost nothing. */
  const discardThrottle = throttle(50, 20);
  /** Position at the end of the last write that is not dropped. */
  let lastMs = 0;
  /** How many further writes are not dropped. */
  let admitted = Number.POSITIVE_INFINITY;
  /** The writer of `getWriter()` that holds `output`. Without one, a pipe may. */
  let writer: WritableStreamDefaultWriter<AudioFrame> | undefined;

  const stream = new WritableStream<AudioFrame>(
    {
      start(controller) {
        // Not in `abort` below, which waits for the current write.
        const { signal } = controller as typeof controller & { readonly signal: AbortSignal };
        signal.addEventListener("abort", abort, { once: true });
      },
      write(frame) {
        const turn = lock.awaitWrite();
        return turn ? turn.then(() => arrive(frame)) : arrive(frame);
      },
      close() {
        lock.forgetWrites();
        return playout.played(lastMs);
      },
    },
    {
      highWaterMark: highWaterMarkMs,
      size(frame) {
        const ms = validDurationMs(frame);
        lock.beginWrite(ms);
        return ms;
      },
    },
  );
  const backlog = createPipeBacklog(clock, () => !stream.locked);

  const getWriter = stream.getWriter.bind(stream);
  stream.getWriter = () => {
    const acquired = getWriter();
    const releaseLock = acquired.releaseLock.bind(acquired);
    acquired.releaseLock = () => {
      releaseLock();
      if (writer === acquired) writer = undefined;
    };
    writer = acquired;
    backlog.end();
    return acquired;
  };

  function abort(): void {
    lock.forgetWrites();
    options.aborted(lastMs);
  }

  function arrive(frame: AudioFrame): Promise<void> | undefined {
    const ms = validDurationMs(frame);
    const old = lock.arriveWrite(ms);
    admitted -= 1;
    return old ? yielder.after() : enqueue(frame, ms);
  }

  function enqueue(frame: AudioFrame, ms: number): Promise<void> | undefined {
    if (admitted < 0) return discardThrottle.after();
    const fault = frameFault(frame);
    if (fault !== undefined) options.rejected(fault);
    if (ms === 0) return yielder.after();
    if (backlog.holds(ms)) {
      drops.add("outputStaleMs", "output audio dropped: a pipe delivered it after an interruption", ms);
      return skipBacklog();
    }
    playout.enqueue(frame);
    lastMs = queue.endMs;
    return queue.room();
  }

  function skipBacklog(): Promise<void> | undefined {
    const pause = yielder.after();
    if (!pause) backlog.dropped();
    return pause?.then(() => backlog.dropped());
  }

  return {
    get stream() {
      // A pipe or writer that locks a free stream does not continue an old pipe.
      if (!stream.locked) backlog.end();
      return stream;
    },
    interrupted() {
      if (stream.locked && !writer) backlog.begin();
    },
    seal() {
      admitted = Math.min(admitted, lock.pendingWrites);
    },
    release: backlog.end,
  };
}

/**
 * Separates old audio in a pipe from new audio after an interruption.
 *
 * A pipe hides when its frames were written: the first frames that it delivers after an interruption may have been in its
 * transforms long before. But buffered frames arrive as fast as the transforms run, and live frames do not. So frames that a
 * pipe delivers without a pause are old, until
 *
 * - no frame arrives for half the duration of the previous one (at least 5 ms, at most 50 ms), or
 * - the pipe releases `output`, or
 * - it delivered less than 1.5 times real time over half a second, so that a live pipe recovers on a machine that is too busy
 *   for its pauses to show, or
 * - 15 minutes of audio were dropped.
 */
interface PipeBacklog {
  /** An interruption while a pipe holds `output`. */
  begin(): void;
  /** Frames that arrive now come from a writer, or from another pipe. */
  end(): void;
  /** Whether a frame of `ms` that arrives now is old. Call it for every frame, so that the usual duration is known. */
  holds(ms: number): boolean;
  /** The last old frame was dropped: the pipe can deliver the next. */
  dropped(): void;
}

const minPauseMs = 5;
const maxPauseMs = 50;
const stepMs = 2;
const observedMs = 500;
const liveSpeed = 1.5;
const maxBacklogMs = 15 * 60_000;

/** `isFree` returns whether `output` is not acquired. Runs a timer from `begin` until the backlog is over, or `end`. */
function createPipeBacklog(clock: Clock, isFree: () => boolean): PipeBacklog {
  let cancelStep: (() => void) | undefined;
  let beganMs = 0;
  let heldMs = 0;
  /** Duration of the last frame, old or not. */
  let lastMs = 20;
  let quietMs = 0;

  function pauseMs(): number {
    return Math.min(maxPauseMs, Math.max(minPauseMs, lastMs / 2));
  }

  function end(): void {
    cancelStep?.();
    cancelStep = undefined;
  }

  /** Measures the pause in steps that count for a quarter of it at most: a pause of the whole process is not one of the pipe. */
  function step(): void {
    const fromMs = clock.now();
    cancelStep = clock.after(stepMs, () => {
      quietMs += Math.min(clock.now() - fromMs, pauseMs() / 4);
      if (quietMs >= pauseMs()) end();
      else step();
    });
  }

  /** Another pipe may take `output` within the same turn of the event loop: looks for the moment in between. */
  function watch(microtasks: number): void {
    if (isFree()) end();
    else if (cancelStep && microtasks > 0) queueMicrotask(() => watch(microtasks - 1));
  }

  return {
    begin() {
      end();
      beganMs = clock.now();
      heldMs = 0;
      quietMs = 0;
      step();
    },
    end,
    holds(ms) {
      lastMs = ms;
      if (!cancelStep) return false;
      const elapsedMs = clock.now() - beganMs;
      if (heldMs >= maxBacklogMs || (elapsedMs > observedMs && heldMs < elapsedMs * liveSpeed)) {
        end();
        return false;
      }
      heldMs += ms;
      quietMs = 0;
      return true;
    },
    dropped() {
      quietMs = 0;
      if (cancelStep) watch(100);
    },
  };
}
