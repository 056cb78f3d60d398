import type { Logger } from "@pipecat-ts/runner-core";
import { settledWithin } from "./deadline.ts";

/** How long one release may take before the next one starts. */
export const releaseMs = 2_000;

/** What one session owns. */
export interface Ownership {
  /** Has `release` called by `releaseAll`, at once when that has begun. */
  add(release: () => unknown): void;
  /** Releases everything, the latest first, each once, each awaited for 2 s. Never rejects: what fails is logged. */
  releaseAll(): Promise<void>;
}

export function createOwnership(logger: Logger): Ownership {
  const releases: (() => unknown)[] = [];
  let released = false;

  async function call(release: () => unknown): Promise<void> {
    try {
      await release();
    } catch (err) {
      logger.error({ err }, "what the session owned could not be released");
    }
  }

  return {
    add(release) {
      if (released) void call(release);
      else releases.push(release);
    },
    async releaseAll() {
      released = true;
      for (let release = releases.pop(); release; release = releases.pop()) {
        if (await settledWithin(releaseMs, call(release))) continue;
        logger.error(`what the session owned is not released after ${releaseMs / 1000} s: going on without it`);
      }
    },
  };
}
