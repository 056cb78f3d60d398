import type { Runner } from "@pipecat-ts/runner-host";

/** Errors that nobody caught, while they are being looked after. */
export interface StrayErrors {
  /** Those that belonged to no session. */
  readonly unattributed: readonly unknown[];
  /** Gives the process its own listeners back. */
  release(): void;
}

/**
 * Looks after uncaught exceptions and unhandled rejections as the CLI does: one that happens in a session's scope ends that
 * session. Until `release` the process's other listeners, a test runner's among them, hear nothing of them.
 */
export function attributeStrayErrors(runner: Runner): StrayErrors {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const others = events.map((event) => [event, process.rawListeners(event)] as const);
  const unattributed: unknown[] = [];
  const attribute = (error: unknown) => {
    const session = runner.sessions.current();
    if (session) void session.end("bot-failed");
    else unattributed.push(error);
  };
  for (const event of events) process.removeAllListeners(event).on(event, attribute);
  return {
    unattributed,
    release() {
      for (const [event, listeners] of others) {
        process.off(event, attribute);
        for (const listener of listeners) process.on(event, listener as (...args: unknown[]) => void);
      }
    },
  };
}
