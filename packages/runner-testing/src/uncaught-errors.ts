import type { Runner } from "@pipecat-ts/runner-host";

/** Handles uncaught exceptions and unhandled rejections in place of the listeners that the process had. */
export interface UncaughtErrors {
  /** Errors in the scope of one of the runner's sessions end that session, as under the CLI. */
  attribute(runner: Runner): void;
  /** Removes and returns the errors that belong to no session and match. */
  take(matches: (error: unknown) => boolean): unknown[];
  /** Restores the listeners of the process, and throws the remaining errors to them. */
  release(): void;
}

/** Replaces every listener of `uncaughtException` and `unhandledRejection` until `release`. One at a time in a process. */
export function interceptUncaughtErrors(): UncaughtErrors {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const others = events.map((event) => [event, process.rawListeners(event)] as const);
  const runners = new Set<Runner>();
  let remaining: unknown[] = [];
  const handle = (error: unknown) => {
    const belongs = [...runners].some((runner) => runner.handleUncaught(error));
    if (!belongs) remaining.push(error);
  };
  for (const event of events) process.removeAllListeners(event).on(event, handle);
  return {
    attribute(runner) {
      runners.add(runner);
    },
    take(matches) {
      const taken = remaining.filter(matches);
      remaining = remaining.filter((error) => !taken.includes(error));
      return taken;
    },
    release() {
      for (const [event, listeners] of others) {
        process.off(event, handle);
        for (const listener of listeners) process.on(event, listener as (...args: unknown[]) => void);
      }
      for (const error of remaining)
        queueMicrotask(() => {
          throw error;
        });
    },
  };
}
