import type { CloseReason, Logger } from "@pipecat-ts/runner-core";
import type { Clock } from "./clock.ts";
import type { Speaker } from "./speaker.ts";
import type { Turns } from "./turns.ts";

/** How one call ends, whoever ends it. */
export interface CallEnding {
  readonly ended: boolean;
  readonly closed: Promise<CloseReason>;
  /**
   * Ends the call. `bot-finished` lets what was said be heard out first: writes that were begun, stretches given to `play`,
   * and the far end's acknowledgement where there are marks. It waits no longer for it than it lasts and 2 s, nor 2 s
   * for a source that gives nothing; a source that goes on and on is cut off after 10 minutes. Every other reason hangs up
   * at once, also a call that is being heard out. The first reason counts.
   */
  close(reason: CloseReason): Promise<void>;
}

/** What an ending is built from. */
export interface CallEndingOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly turns: Turns;
  readonly speaker: Pick<Speaker, "heard" | "quietAtMs" | "queue" | "heardMs">;
  /** Nothing more is heard of the caller, and what the bot says from now on is dropped. */
  seal(): void;
  /** Lets go of everything but the wire. */
  release(): void;
  closeWire(reason: CloseReason): Promise<void> | void;
}

const graceMs = 2_000;
const maxPlayMs = 600_000;
const hangUpMs = 3_000;

export function createCallEnding(options: CallEndingOptions): CallEnding {
  const { clock, logger, turns, speaker } = options;
  const { promise: closed, resolve } = Promise.withResolvers<CloseReason>();
  let reason: CloseReason | undefined;
  let ended = false;
  let stopWatching: (() => void) | undefined;

  /** Waits in line behind all that was said. */
  async function hearOut(): Promise<void> {
    const beganMs = clock.now();
    const unheardMs = speaker.queue.endMs - speaker.heardMs + turns.writingMs;
    watch(beganMs, beganMs + unheardMs + graceMs + (turns.inLine > 0 ? maxPlayMs : 0));
    const turn = turns.enter();
    await turn.come;
    await speaker.heard(speaker.queue.endMs);
    turn.leave();
    await finish();
  }

  function watch(beganMs: number, limitMs: number): void {
    const nowMs = clock.now();
    const leftMs = Math.min(limitMs, Math.max(beganMs, speaker.quietAtMs) + graceMs) - nowMs;
    if (leftMs > 0) {
      stopWatching = clock.after(leftMs, () => watch(beganMs, limitMs));
      return;
    }
    logger.warn("The bot's last words were cut off: they did not come to an end.");
    void finish();
  }

  async function finish(): Promise<void> {
    if (ended || reason === undefined) return;
    ended = true;
    stopWatching?.();
    options.release();
    await hangUp(reason);
    resolve(reason);
  }

  async function hangUp(because: CloseReason): Promise<void> {
    const { promise: late, resolve: giveUp } = Promise.withResolvers<"late">();
    const cancel = clock.after(hangUpMs, () => giveUp("late"));
    try {
      const outcome = await Promise.race([options.closeWire(because), late]);
      if (outcome === "late") logger.warn(`The wire was not closed within ${hangUpMs / 1000} s: going on without it.`);
    } catch (error) {
      logger.warn({ err: error }, "The wire failed to close.");
    } finally {
      cancel();
    }
  }

  return {
    get ended() {
      return ended;
    },
    closed,
    async close(because) {
      const first = reason === undefined;
      reason ??= because;
      if (first) options.seal();
      if (because !== "bot-finished") void finish();
      else if (first) void hearOut();
      await closed;
    },
  };
}
