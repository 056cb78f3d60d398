import type { CloseReason, Logger } from "@pipecat-ts/runner-core";
import { settledWithin } from "./deadline.ts";

/** How long one release may take before the next one starts. */
export const releaseMs = 2_000;

/** Releases one thing that a session owns; told why the session ended. */
export type Release = (reason: CloseReason) => unknown;

/** What one session owns. */
export interface Ownership {
  /** Has `release` called by `releaseAll`, at once when that has begun. */
  add(release: Release): void;
  /** Releases everything, the latest first, each once, each awaited for 2 s. Never rejects: what fails is logged. */
  releaseAll(reason: CloseReason): Promise<void>;
}

export function createOwnership(logger: Logger): Ownership {
  const releases: Release[] = [];
  let because: CloseReason | undefined;

  async function call(release: Release, reason: CloseReason): Promise<void> {
    try {
      await release(reason);
    } catch (err) {
      logger.error({ err }, "what the session owned could not be released");
    }
  }

  return {
    add(release) {
      if (because === undefined) releases.push(release);
      else void call(release, because);
    },
    async releaseAll(reason) {
      because = reason;
      for (let release = releases.pop(); release; release = releases.pop()) {
        if (await settledWithin(releaseMs, call(release, reason))) continue;
        logger.error(`what the session owned is not released after ${releaseMs / 1000} s: going on without it`);
      }
    },
  };
}
