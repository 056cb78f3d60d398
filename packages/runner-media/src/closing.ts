import { type Clock, type Logger, withTimeout } from "@pipecat-ts/runner-core";
import type { OutputLock } from "./output-lock.ts";
import type { Playout } from "./playout.ts";

export interface PlayOutOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lock: OutputLock;
  readonly playout: Pick<Playout, "played" | "playedMs" | "quietAtMs" | "queue">;
}

/** How long to wait for a source that delivers nothing, or for a far end that confirms nothing. */
const graceMs = 2_000;
/** How long an utterance may continue if its source does not end. */
const maxUtteranceMs = 600_000;

/**
 * Waits until all audio of the bot was played: writes and utterances given to `play`, until the far end has returned its marks.
 * Waits at most 2 s longer than that audio, 2 s for a source that delivers nothing, and 10 minutes for a source that does not
 * end. Returns at once when `cutoff` aborts.
 */
export async function playOut({ clock, logger, lock, playout }: PlayOutOptions, cutoff: AbortSignal): Promise<void> {
  const beganMs = clock.now();
  const unplayedMs = playout.queue.endMs - playout.playedMs + lock.pendingMs;
  const limitMs = beganMs + unplayedMs + graceMs + (lock.leases > 0 ? maxUtteranceMs : 0);
  const stalled = new AbortController();
  let cancel: (() => void) | undefined;

  function watch(): void {
    const nowMs = clock.now();
    const leftMs = Math.min(limitMs, Math.max(beganMs, playout.quietAtMs) + graceMs) - nowMs;
    if (leftMs > 0) {
      cancel = clock.after(leftMs, watch);
      return;
    }
    logger.warn("last audio of the bot dropped: it did not end in time");
    stalled.abort();
  }

  watch();
  await withTimeout(allPlayed(lock, playout), AbortSignal.any([cutoff, stalled.signal]));
  cancel?.();
}

/** Resolves when everything enqueued before was played or dropped. Audio that is enqueued later waits for it. */
export async function allPlayed(lock: OutputLock, playout: Pick<Playout, "played" | "queue">): Promise<void> {
  const lease = lock.acquire();
  await lease.acquired;
  await playout.played(playout.queue.endMs);
  lease.release();
}
