import type { RunnerContext } from "@pipecat-ts/runner-core";

const minuteMs = 60_000;

/**
 * Counts permits by key: at most `perMinute` in any 60 s. Keys are chosen by transports, never by callers. See
 * `RunnerContext.takePermit`.
 */
export function createPermits(): RunnerContext["takePermit"] {
  /** When the permits of the last minute were taken. */
  const taken = new Map<string, number[]>();
  return async (key, perMinute) => {
    const nowMs = performance.now();
    const recent = (taken.get(key) ?? []).filter((atMs) => atMs > nowMs - minuteMs);
    taken.set(key, recent);
    if (recent.length >= perMinute) return false;
    recent.push(nowMs);
    return true;
  };
}
