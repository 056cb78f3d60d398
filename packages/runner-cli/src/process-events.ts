import { constants } from "node:os";
import type { Logger } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
const stopSignals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The parts of `process` that signal handling uses. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: StopSignal, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): unknown;
}

/**
 * A SIGTERM or SIGHUP this soon after another one is the same, in ms: a supervisor sends it to the group, and a parent passes it on.
 * When a terminal is closed, its shell and the kernel both send SIGHUP.
 */
const sameSignalMs = 1_000;

/**
 * Stops the runner on a signal: SIGTERM and SIGHUP drain it, SIGINT closes it at once. A second signal exits at once with
 * 128 plus its number: 130 for SIGINT, 143 for SIGTERM; except for a SIGTERM or SIGHUP within 1 s of another. With
 * `reload`, SIGHUP calls it instead.
 *
 * Resolves when the runner has stopped because of a signal, and removes its listeners.
 */
export function stopOnSignals(
  runner: Pick<Runner, "drain" | "close"> & { readonly sessions: Pick<Runner["sessions"], "counts"> },
  logger: Logger,
  source: SignalSource,
  reload?: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping: Promise<void> | undefined;
    let signaledMs = Number.NEGATIVE_INFINITY;
    const stop = (signal: NodeJS.Signals) => {
      if (signal === "SIGHUP" && reload) return reload();
      const drains = signal !== "SIGINT";
      if (drains) {
        const isSame = performance.now() - signaledMs < sameSignalMs;
        signaledMs = performance.now();
        if (isSame) return;
      }
      if (stopping) {
        source.exit(128 + constants.signals[signal]);
        return;
      }
      const { active } = runner.sessions.counts;
      if (active > 0) {
        const action = drains ? "waiting for calls to end" : "ending calls";
        logger.info({ signal, calls: active }, `${action}; a second signal exits at once`);
      }
      stopping = drains ? runner.drain() : runner.close();
      stopping.finally(release).then(resolve, reject);
    };
    const release = () => {
      for (const signal of stopSignals) source.off(signal, stop);
    };
    for (const signal of stopSignals) source.on(signal, stop);
  });
}

/** The parts of `process` that error handling uses. */
export interface ErrorSource {
  on(event: "unhandledRejection" | "uncaughtException", listener: (error: unknown) => void): unknown;
  exit(code: number): unknown;
}

/** From an uncaught exception outside every session until the process exits at the latest, in ms. */
export const crashMs = 5_000;

/**
 * Handles uncaught errors. An error that belongs to a session, such as one thrown in a bot's timer, ends that
 * session only. Without a session, a rejection is logged; an exception leaves the process in an unknown state, so `crash`
 * is called, once, to stop it. If the process still runs after 5 s, or if handling an exception fails, it exits with 1.
 */
export function handleUncaughtErrors(
  runner: Pick<Runner, "handleUncaught">,
  logger: Logger,
  crash: () => void,
  source: ErrorSource,
): void {
  let crashing = false;

  function handleException(err: unknown): void {
    if (runner.handleUncaught(err)) return;
    if (crashing) {
      logger.debug({ err }, "further uncaught exception outside every session");
      return;
    }
    crashing = true;
    setTimeout(() => source.exit(1), crashMs);
    logger.error({ err }, "uncaught exception outside every session; the runner stops");
    crash();
  }

  source.on("unhandledRejection", (err) => {
    if (!runner.handleUncaught(err)) logger.error({ err }, "unhandled rejection outside every session");
  });
  source.on("uncaughtException", (err) => {
    try {
      handleException(err);
    } catch {
      source.exit(1); // An exception in this listener would end the process with 7.
    }
  });
}

/** Logs Node's warning about many listeners of an emitter with the session whose code registered them. */
export function nameLeakedListeners(
  runner: { readonly sessions: Pick<Runner["sessions"], "current"> },
  source: { on(event: "warning", listener: (warning: Error) => void): unknown },
): void {
  source.on("warning", (err) => {
    if (err.name !== "MaxListenersExceededWarning") return;
    runner.sessions.current()?.logger.warn({ err }, "many listeners of one emitter");
  });
}
