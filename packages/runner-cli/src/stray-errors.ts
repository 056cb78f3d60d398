import type { Logger } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";

/** What of a process its stray errors need: the process itself, but for tests. */
export interface ErrorSource {
  on(event: "unhandledRejection" | "uncaughtException", listener: (error: unknown) => void): unknown;
}

/**
 * Has errors that nobody caught end the session whose code threw them, and no other: a timer that throws, a promise that
 * is rejected after its bot returned.
 *
 * A rejection that belongs to no session is logged and that is all. An exception that belongs to none leaves the process
 * in a state nobody knows: `crash` is called.
 */
export function attributeStrayErrors(
  sessions: Pick<Runner["sessions"], "current">,
  logger: Logger,
  crash: () => void,
  source: ErrorSource,
): void {
  function end(err: unknown, what: string): boolean {
    const session = sessions.current();
    if (!session) return false;
    const after = session.state === "ended" ? "after its session ended" : "and ends its session";
    session.logger.error({ err }, `the bot left ${what} ${after}`);
    void session.end("bot-failed");
    return true;
  }
  const onRejection = (err: unknown) => {
    if (!end(err, "a rejected promise unhandled")) logger.error({ err }, "a rejected promise was left unhandled");
  };
  const onException = (err: unknown) => {
    if (end(err, "an exception uncaught")) return;
    logger.error({ err }, "an exception outside every session was not caught: the runner stops");
    crash();
  };
  source.on("unhandledRejection", onRejection);
  source.on("uncaughtException", onException);
}
