/** Something that is waited for, and settled from outside. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
  /** Makes those who wait throw `error`. */
  fail(error: Error): void;
}

/** A closed gate. */
export function createGate(): Gate {
  let settle: Omit<Gate, "opened"> = { open: () => undefined, fail: () => undefined };
  const opened = new Promise<void>((open, fail) => {
    settle = { open, fail };
  });
  return { ...settle, opened };
}
