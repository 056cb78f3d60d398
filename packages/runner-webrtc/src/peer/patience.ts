/** Gives `work` a signal that aborts with `signal`, or after `timeoutMs`. Leaves no timer. */
export async function withPatience<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (patience: AbortSignal) => Promise<T>,
): Promise<T> {
  const expiry = new AbortController();
  const timer = setTimeout(() => expiry.abort(), timeoutMs);
  try {
    return await work(AbortSignal.any([signal, expiry.signal]));
  } finally {
    clearTimeout(timer);
  }
}
