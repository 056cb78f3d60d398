import { withTimeout } from "@pipecat-ts/runner-core";

/** Limits how many rooms are joined at the same time. */
export interface JoinQueue {
  /**
   * Waits for a turn, in order. Resolves to a function that ends the turn, which may be called more than once, or to `undefined` if
   * `stop` aborts first.
   */
  enter(stop: AbortSignal): Promise<(() => void) | undefined>;
}

export function createJoinQueue(limit: number): JoinQueue {
  let joining = 0;
  const waiting = new Set<() => void>();

  function next(): void {
    joining--;
    const [first] = waiting;
    if (first === undefined) return;
    waiting.delete(first);
    joining++;
    first();
  }

  async function waitForTurn(stop: AbortSignal): Promise<boolean> {
    if (joining < limit) {
      joining++;
      return true;
    }
    const { promise: turn, resolve } = Promise.withResolvers<void>();
    waiting.add(resolve);
    if (await withTimeout(turn, stop)) return true;
    // The turn may have come together with the end of the wait.
    if (!waiting.delete(resolve)) next();
    return false;
  }

  return {
    async enter(stop) {
      if (stop.aborted || !(await waitForTurn(stop))) return undefined;
      let hasTurn = true;
      return () => {
        if (hasTurn) next();
        hasTurn = false;
      };
    },
  };
}
