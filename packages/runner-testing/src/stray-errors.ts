import type { Runner } from "@pipecat-ts/runner-host";

/** Looks after errors that nobody caught, in place of whoever did before: a test runner, or Node itself. */
export interface StrayErrors {
  /** Has those that happen in the scope of one of the runner's sessions end that session, as the CLI does. */
  attribute(runner: Runner): void;
  /** Those that belonged to no session and that `isMine` recognises; they are forgotten. */
  claim(isMine: (error: unknown) => boolean): unknown[];
  /** Gives the process its own listeners back, and throws to them what nobody claimed. */
  release(): void;
}

/** Takes over from every listener of `uncaughtException` and `unhandledRejection`, until `release`. One at a time in a process. */
export function interceptStrayErrors(): StrayErrors {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const others = events.map((event) => [event, process.rawListeners(event)] as const);
  const runners = new Set<Runner>();
  let unclaimed: unknown[] = [];
  const take = (error: unknown) => {
    // One that has ended is none: where its scope outlived it, the error is more likely somebody else's.
    const session = [...runners]
      .map(({ sessions }) => sessions.current())
      .find((found) => found && found.state !== "ended");
    if (session) void session.end("bot-failed");
    else unclaimed.push(error);
  };
  for (const event of events) process.removeAllListeners(event).on(event, take);
  return {
    attribute(runner) {
      runners.add(runner);
    },
    claim(isMine) {
      const mine = unclaimed.filter(isMine);
      unclaimed = unclaimed.filter((error) => !mine.includes(error));
      return mine;
    },
    release() {
      for (const [event, listeners] of others) {
        process.off(event, take);
        for (const listener of listeners) process.on(event, listener as (...args: unknown[]) => void);
      }
      for (const error of unclaimed)
        queueMicrotask(() => {
          throw error;
        });
    },
  };
}
