import { createHook } from "node:async_hooks";

/** Timers that were started while somebody watched, the unref'ed ones included, which Node's own counts leave out. */
export interface TimerWatch {
  /** How many of them may still fire, by the time that Node has told of those that no longer can. */
  count(): Promise<number>;
  /** Forgets them. */
  stop(): void;
}

/**
 * Watches from now on every interval of the process and every timer of more than a second, until it is cleared or has
 * fired. Shorter ones go by themselves: Node's HTTP has some.
 */
export function watchTimers(): TimerWatch {
  const alive = new Set<number>();
  const hook = createHook({
    init(id, type, _, timer: { readonly _idleTimeout?: number; readonly _repeat?: number | null }) {
      if (type !== "Timeout") return;
      const { _idleTimeout: delayMs = 0, _repeat: repeats = null } = timer;
      if (repeats !== null || delayMs > 1_000) alive.add(id);
    },
    destroy(id) {
      alive.delete(id);
    },
  }).enable();
  return {
    async count() {
      // Node tells of destroyed timers in an immediate of its own.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
      return alive.size;
    },
    stop() {
      hook.disable();
      alive.clear();
    },
  };
}
