/** Pauses a long loop from time to time, so that the rest of the program can run. */
export interface Yielder {
  /** Call it after each iteration. Usually `undefined`, sometimes a promise to await before the next iteration. */
  after(): Promise<void> | undefined;
}

/** Waits for one turn of the event loop after every `count` iterations. */
export function yieldEvery(count: number): Yielder {
  return createYielder(count, () => new Promise((resolve) => setImmediate(resolve)));
}

/** Waits `ms` after every `count` iterations, for loops without an end. In real time, whatever the clock of the call says. */
export function throttle(count: number, ms: number): Yielder {
  return createYielder(count, () => new Promise((resolve) => setTimeout(resolve, ms)));
}

function createYielder(count: number, wait: () => Promise<void>): Yielder {
  let iterations = 0;
  return {
    after() {
      iterations += 1;
      if (iterations < count) return undefined;
      iterations = 0;
      return wait();
    },
  };
}
