import { type Clock, type Logger, withTimeout } from "@pipecat-ts/runner-core";
import type { OutputLock } from "./output-lock.ts";
import type { Playout } from "./playout.ts";

export interface PlayOutOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lock: OutputLock;
  readonly playout: Pick<Playout, "played" | "playedMs" | "quietAtMs" | "queue">;
}

/** How long a source that delivers nothing, or a far end that confirms nothing, is awaited. */
const graceMs = 2_000;
/** How long utterances may continue whose sources do not end. */
const maxUtteranceMs = 600_000;

/**
 * Waits until everything that the bot has said was played: writes, utterances given to `play`, and the marks of the far end.
 * Waits at most as long as that takes and 2 s, 2 s for a source that delivers nothing, and 10 minutes for one that does not
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

  async function played(): Promise<void> {
    const lease = lock.acquire();
    await lease.acquired;
    await playout.played(playout.queue.endMs);
    lease.release();
  }

  watch();
  await withTimeout(played(), AbortSignal.any([cutoff, stalled.signal]));
  cancel?.();
}
