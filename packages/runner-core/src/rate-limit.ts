/** Limits how often one caller may do something: a token bucket. */
export interface RateLimit {
  /** Takes one token. Returns false when none is left. */
  take(): boolean;
}

/** `burst` at once, and `perSecond` in the long run. */
export interface RateLimitOptions {
  readonly perSecond: number;
  readonly burst: number;
}

/** Creates a full bucket. `now` returns milliseconds that never go back; default: the machine's monotonic clock. */
export function createRateLimit(
  { perSecond, burst }: RateLimitOptions,
  now: () => number = () => performance.now(),
): RateLimit {
  let tokens = burst;
  let atMs = now();
  return {
    take() {
      const nowMs = now();
      tokens = Math.min(burst, tokens + ((nowMs - atMs) / 1000) * perSecond);
      atMs = nowMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
