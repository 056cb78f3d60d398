/**
 * Waits for `work` until `limit`: ms, or a signal. Resolves true when `work` settled, false when the limit came first.
 * Never rejects, and leaves no timer or listener behind.
 */
export function withTimeout(work: PromiseLike<unknown>, limit: number | AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const late = () => finish(false);
    const timer = typeof limit === "number" ? setTimeout(late, limit) : undefined;
    function finish(settled: boolean): void {
      clearTimeout(timer);
      if (typeof limit !== "number") limit.removeEventListener("abort", late);
      resolve(settled);
    }
    // Also when the limit has passed: nobody else may handle its rejection.
    work.then(
      () => finish(true),
      () => finish(true),
    );
    if (typeof limit === "number") return;
    if (limit.aborted) late();
    else limit.addEventListener("abort", late);
  });
}
