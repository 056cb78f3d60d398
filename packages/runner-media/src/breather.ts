/** Lets the rest of the program run between many things that are over at once: a loop of them would block it. */
export interface Breather {
  /** To be called after each; mostly `undefined`, now and then what to wait for before the next. */
  after(): Promise<void> | undefined;
}

/** Waits one turn of the event loop after every `count`. */
export function createBreather(count: number): Breather {
  return createPause(count, () => new Promise((resolve) => setImmediate(resolve)));
}

/** Waits `ms` after every `count`: for what may go on for ever. In real time, whatever the clock of the call says. */
export function createBrake(count: number, ms: number): Breather {
  return createPause(count, () => new Promise((resolve) => setTimeout(resolve, ms)));
}

function createPause(count: number, wait: () => Promise<void>): Breather {
  let since = 0;
  return {
    after() {
      since += 1;
      if (since < count) return undefined;
      since = 0;
      return wait();
    },
  };
}
