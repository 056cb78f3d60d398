import { type CloseReason, type Logger, withTimeout } from "@pipecat-ts/runner-core";
import { type Media, wireCloseMs } from "@pipecat-ts/runner-media";

/** The timeouts of a termination, in ms. */
const terminationMs = {
  /**
   * From when the caller leaves or the bot closes its transport, until the signal of a bot that still runs aborts. Also how long
   * audio may play after the time limit.
   */
  botGrace: 10_000,
  /** From the abort of the signal until the session ends without the bot. */
  botAbort: 5_000,
} as const;

export interface TerminationOptions {
  readonly logger: Logger;
  /** Aborts the bot's signal. Called at most once. */
  abort(reason: CloseReason): void;
  /** The connection to the caller is closed, or the caller left before the media layer was built. The bot may still run. */
  disconnected(): void;
  /** The session is over. Called exactly once, last. */
  finish(reason: CloseReason): void;
}

/**
 * Ends one active session, whatever the cause: the one place that orders playout, the wire, and the bot. The first reason
 * counts; only a stuck bot overrides it with `bot-stuck`.
 */
export interface Termination {
  /** The media layer is built. It is closed at once when the session is already ending. */
  mediaOpened(media: Media): void;
  /** The caller is gone. */
  callerLeft(reason: CloseReason): void;
  /** The bot closes its transport. With `bot-finished`, queued audio is played first. */
  closeRequested(reason: CloseReason): void;
  botReturned(): void;
  botFailed(): void;
  /**
   * Ends the session for any other cause. `caller-left` gives the bot its 10 s, and so does `time-limit` after queued audio, which
   * is cut off after 10 s. Any other reason aborts the bot at once.
   */
  end(reason: CloseReason): void;
  /** Ends the session now, without waiting for bot or wire. */
  forceEnd(): void;
}

export function createTermination({ logger, abort, disconnected, finish }: TerminationOptions): Termination {
  /** Ends playout early. */
  const cutoff = new AbortController();
  /** Ends every wait for the wire. */
  const forced = new AbortController();
  let media: Media | undefined;
  let reason: CloseReason | undefined;
  let wireClosing: CloseReason | undefined;
  /** The media layer closes the wire: the caller's disconnect that follows is not a cause. */
  let wireCut = false;
  let wireClosed = false;
  let botDone = false;
  let aborted = false;
  let finished = false;
  let timer: NodeJS.Timeout | undefined;

  function after(ms: number, next: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(next, ms);
  }

  function closeWire(because: CloseReason, playsOut: boolean): void {
    if (!playsOut) cutoff.abort();
    if (wireClosing !== undefined) return;
    wireClosing = because;
    void closeMedia(playsOut).then(() => {
      wireClosed = true;
      if (botDone) finishWith(because);
      else if (reason === undefined) {
        // The transport is closed and the bot still runs.
        reason = because;
        after(terminationMs.botGrace, () => stop(because));
      }
    });
  }

  /** Never rejects. `isLate`: the wire opened after its caller left or its session ended, and no end waits for it. */
  async function closeMedia(playsOut: boolean, isLate = false): Promise<void> {
    if (!media) return;
    if (playsOut) await media.playOut(cutoff.signal);
    wireCut = true;
    const deadline = new AbortController();
    const late = setTimeout(() => deadline.abort(), wireCloseMs);
    const limit = isLate ? deadline.signal : AbortSignal.any([deadline.signal, forced.signal]);
    await media.close(reason ?? wireClosing ?? "bot-finished", limit);
    clearTimeout(late);
    disconnected();
  }

  function stop(because: CloseReason): void {
    if (aborted || finished) return;
    aborted = true;
    reason ??= because;
    abort(reason);
    closeWire(reason, false);
    after(terminationMs.botAbort, () => {
      if (botDone) return finishWith(because);
      logger.error({ afterMs: terminationMs.botAbort }, "bot ignored its abort signal");
      finishWith("bot-stuck");
    });
  }

  function callerLeft(because: CloseReason): void {
    if (finished || wireCut) return;
    const isFirst = reason === undefined && !aborted;
    reason ??= because;
    closeWire(because, false);
    if (!media) disconnected();
    if (botDone || aborted) return;
    if (because !== "caller-left") stop(because);
    else if (isFirst) after(terminationMs.botGrace, () => stop(because));
  }

  /** Plays the queued audio, also that of a bot that has ended the call already, for 10 s at most. */
  function reachTimeLimit(): void {
    closeWire("time-limit", true);
    if (!finished && !wireClosed && timer === undefined) after(terminationMs.botGrace, () => cutoff.abort());
  }

  function finishWith(otherwise: CloseReason): void {
    if (finished) return;
    finished = true;
    clearTimeout(timer);
    cutoff.abort();
    forced.abort();
    finish(otherwise === "bot-stuck" ? otherwise : (reason ?? otherwise));
  }

  return {
    mediaOpened(opened) {
      media = opened;
      if (wireClosing === undefined) return;
      // The caller left, or the session ended, before the bot's transport was built.
      void closeMedia(false, true);
    },
    callerLeft,
    closeRequested(because) {
      if (because === "bot-finished") closeWire(because, true);
      else stop(because);
    },
    botReturned() {
      botDone = true;
      if (wireClosed) finishWith("bot-finished");
      else closeWire("bot-finished", true);
    },
    botFailed() {
      botDone = true;
      if (wireClosed && (aborted || reason !== undefined)) finishWith("bot-failed");
      else stop("bot-failed");
    },
    end(because) {
      if (because === "caller-left") callerLeft(because);
      else if (because === "time-limit") reachTimeLimit();
      else stop(because);
    },
    forceEnd() {
      if (finished) return;
      if (!botDone) logger.warn("bot still ran when the runner closed");
      finishWith("shutdown");
    },
  };
}

/** The cleanup of one session. */
export interface Disposables {
  /** Registers cleanup for `disposeAll`; runs it at once when that has begun. */
  add(release: Release): void;
  /** Runs all cleanup in reverse order, each once, each awaited until its deadline of 5 s. Never rejects: failures are logged. */
  disposeAll(reason: CloseReason): Promise<void>;
}

export type Release = (reason: CloseReason, deadline: AbortSignal) => unknown;

const releaseMs = 5_000;

export function createDisposables(logger: Logger): Disposables {
  const releases: Release[] = [];
  let endedBecause: CloseReason | undefined;

  async function dispose(release: Release, reason: CloseReason): Promise<void> {
    const deadline = new AbortController();
    const releasing = (async () => await release(reason, deadline.signal))().catch((err: unknown) => {
      logger.error({ err }, "cleanup failed");
    });
    if (await withTimeout(releasing, releaseMs)) return;
    deadline.abort();
    logger.error({ afterMs: releaseMs }, "cleanup did not end in time");
  }

  return {
    add(release) {
      if (endedBecause === undefined) releases.push(release);
      else void dispose(release, endedBecause);
    },
    async disposeAll(reason) {
      endedBecause = reason;
      for (let release = releases.pop(); release; release = releases.pop()) await dispose(release, reason);
    },
  };
}
