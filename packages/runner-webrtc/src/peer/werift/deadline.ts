import { withTimeout } from "@pipecat-ts/runner-core";

/** Settles as `work` does, or rejects with the signal's reason if it aborts first. `work` itself continues. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (await withTimeout(work, signal)) return await work;
  throw signal.reason;
}

/** Calls `work` with a signal that aborts with `signal` or after `timeoutMs`. Leaves no timer behind. */
export async function withDeadline<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (deadline: AbortSignal) => Promise<T>,
): Promise<T> {
  const expiry = new AbortController();
  const timer = setTimeout(() => expiry.abort(), timeoutMs);
  try {
    return await work(AbortSignal.any([signal, expiry.signal]));
  } finally {
    clearTimeout(timer);
  }
}
