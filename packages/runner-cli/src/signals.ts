import { constants } from "node:os";
import type { Logger } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";

/** What of a process its signals need: the process itself, but for tests. */
export interface SignalSource {
  on(signal: "SIGINT" | "SIGTERM", listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): unknown;
}

/**
 * Stops the runner when the process is told to stop: SIGTERM drains it, SIGINT closes it at once. A second signal, of
 * either kind, exits at once with 128 and its number: 130 for SIGINT, 143 for SIGTERM.
 *
 * Resolves when the runner has stopped because of a signal; then no handler is left.
 */
export function stopOnSignals(
  runner: Pick<Runner, "drain" | "close" | "sessions">,
  logger: Logger,
  source: SignalSource,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping: Promise<void> | undefined;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping) {
        source.exit(128 + constants.signals[signal]);
        return;
      }
      const drains = signal === "SIGTERM";
      const { active } = runner.sessions.counts;
      const calls = active === 1 ? "1 call" : `${active} calls`;
      if (active > 0) {
        logger.info(`${signal}: ${drains ? "waiting for" : "ending"} ${calls}; a second signal exits at once`);
      }
      stopping = drains ? runner.drain() : runner.close();
      stopping.finally(release).then(resolve, reject);
    };
    const release = () => {
      source.off("SIGINT", stop);
      source.off("SIGTERM", stop);
    };
    source.on("SIGINT", stop);
    source.on("SIGTERM", stop);
  });
}
