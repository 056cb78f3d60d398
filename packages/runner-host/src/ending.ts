import type { CloseReason, Logger } from "@pipecat-ts/runner-core";

/** How long each stage of an ending may take. */
export const endingMs = {
  /** From the caller's leaving, or the bot's hanging up, to the abort of a bot that still runs. */
  leaving: 10_000,
  /** From the abort to giving up whoever still runs: the bot, or a transport that does not close. */
  aborted: 5_000,
  /** From the bot's return to cutting off what it left to be played. */
  playingOut: 600_000,
} as const;

/** What the ending of an active session has done to it. */
export interface EndingSteps {
  /**
   * Closes the transport, if there is one; resolves when it is closed, and never rejects. `atOnce` drops what is queued,
   * also when it was being played out already.
   */
  hangUp(reason: CloseReason, atOnce: boolean): Promise<void>;
  /** Aborts the bot's signal. Called at most once. */
  abort(reason: CloseReason): void;
  /** The session is over. Called exactly once, last. */
  finish(reason: CloseReason): void;
}

/**
 * Brings one active session to its end, whoever begins it. The first reason counts, except that of a caller who is said to
 * have left the transport knows better (it may have hung up itself), and that a stuck bot is `bot-stuck`.
 */
export interface Ending {
  /** Somebody ends the session: `caller-left` leaves the bot its 10 s, anything else aborts at once. */
  end(reason: CloseReason): void;
  transportClosed(reason: CloseReason): void;
  botReturned(): void;
  botFailed(): void;
  /** The runner waits no longer. */
  giveUp(): void;
}

export function createEnding(steps: EndingSteps, logger: Logger): Ending {
  let reason: CloseReason | undefined;
  let leaving: CloseReason | undefined;
  let timer: NodeJS.Timeout | undefined;
  let botOver = false;
  let transportGone = false;
  let aborted = false;
  let finished = false;

  function after(ms: number, next: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(next, ms);
  }

  function hangUp(because: CloseReason, atOnce: boolean): void {
    void steps.hangUp(because, atOnce).then(() => {
      transportGone = true;
      finishWhenOver();
    });
  }

  function leave(because: CloseReason): void {
    if (leaving !== undefined || aborted || finished) return;
    leaving = because;
    hangUp(because, false);
    if (!botOver) after(endingMs.leaving, () => stop(because));
  }

  function stop(because: CloseReason): void {
    if (aborted || finished) return;
    aborted = true;
    reason ??= leaving ?? because;
    steps.abort(reason);
    hangUp(reason, true);
    after(endingMs.aborted, () => {
      if (botOver) logger.error(`the transport did not close within ${endingMs.aborted / 1000} s: going on without it`);
      else logger.error(`the bot still runs ${endingMs.aborted / 1000} s after its signal was aborted: given up`);
      finish(botOver ? because : "bot-stuck");
    });
  }

  function finishWhenOver(): void {
    if (botOver && transportGone) finish("bot-finished");
  }

  function finish(otherwise: CloseReason): void {
    if (finished) return;
    finished = true;
    clearTimeout(timer);
    reason = otherwise === "bot-stuck" ? otherwise : (reason ?? leaving ?? otherwise);
    steps.finish(reason);
  }

  return {
    end(because) {
      if (because === "caller-left") leave(because);
      else stop(because);
    },
    transportClosed(because) {
      transportGone = true;
      reason ??= because;
      if (!botOver && (because === "caller-left" || because === "bot-finished")) leave(because);
      else if (!botOver) stop(because);
      finishWhenOver();
    },
    botReturned() {
      botOver = true;
      if (reason === undefined && leaving === undefined) {
        after(endingMs.playingOut, () => stop("bot-finished"));
        hangUp("bot-finished", false);
      }
      finishWhenOver();
    },
    botFailed() {
      botOver = true;
      stop("bot-failed");
      finishWhenOver();
    },
    giveUp() {
      if (finished) return;
      if (!botOver) logger.warn("the bot still ran when the runner closed");
      finish("shutdown");
    },
  };
}
