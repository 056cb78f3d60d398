import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 20;

/** How long the event loop kept timers waiting. */
export interface EventLoopDelay {
  start(): void;
  stop(): void;
  /** In s, since it was asked last: the median, the 99th percentile and the largest. */
  take(): { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Holds the process up no more than a timer that is not waited for. */
export function createEventLoopDelay(): EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  /** Node measures from one timer to the next, so that a loop with nothing to do has its resolution as delay. */
  const toSeconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
  return {
    start: () => void histogram.enable(),
    stop: () => void histogram.disable(),
    take() {
      const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map(toSeconds);
      histogram.reset();
      return { p50: p50 ?? 0, p99: p99 ?? 0, max: max ?? 0 };
    },
  };
}
