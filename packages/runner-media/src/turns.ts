/**
 * Who speaks next: writes to `output` and stretches given to `play` take turns in the order in which they came. A write
 * comes when it is begun, however long the stream then keeps it waiting.
 */
export interface Turns {
  /** A write of `ms` is begun. Called from the queuing strategy's `size()`, which runs within `write()`. */
  beginWrite(ms: number): void;
  /** `undefined` when the write that arrives now may go on, else what resolves when it may. */
  awaitWrite(): Promise<void> | undefined;
  /** A write of `ms` has arrived: those begun first arrive first. Returns whether it was begun before the last `renew`. */
  arriveWrite(ms: number): boolean;
  /** Nobody waits for the writes that were begun, and none that arrives still counts: `output` is closed or aborted. */
  forgetWrites(): void;
  /** Gets in line. */
  enter(): Turn;
  /** Makes every write begun until now an old one. Returns how many ms of them had not arrived. */
  renew(): number;
  /** How many writes are begun and have not arrived. */
  readonly writing: number;
  /** How many ms of them are not old. */
  readonly writingMs: number;
  /** How many are in line or have their turn. */
  readonly inLine: number;
}

/** A place in line. */
export interface Turn {
  /** Resolves when its turn has come, or it was left. */
  readonly come: Promise<void>;
  /** Gives the turn, or the place in line, up. Twice is once. */
  leave(): void;
}

interface Place {
  /** How many writes are before it. */
  readonly after: number;
  readonly begin: () => void;
}

export function createTurns(): Turns {
  let begun = 0;
  let arrived = 0;
  let old = 0;
  let writingMs = 0;
  let forgotten = false;
  const line: Place[] = [];
  let gate: PromiseWithResolvers<void> | undefined;

  function next(): void {
    const [first] = line;
    if (first && first.after <= arrived) first.begin();
    else openGate();
  }

  function openGate(): void {
    gate?.resolve();
    gate = undefined;
  }

  return {
    beginWrite(ms) {
      if (forgotten) return;
      begun += 1;
      writingMs += ms;
    },
    awaitWrite() {
      const [first] = line;
      if (forgotten || !first || first.after > arrived) return undefined;
      gate ??= Promise.withResolvers<void>();
      return gate.promise;
    },
    arriveWrite(ms) {
      if (forgotten) return true;
      const isOld = arrived < old;
      arrived += 1;
      if (!isOld) writingMs = arrived === begun ? 0 : writingMs - ms;
      next();
      return isOld;
    },
    forgetWrites() {
      forgotten = true;
      arrived = begun;
      writingMs = 0;
      openGate();
      next();
    },
    enter() {
      const { promise: come, resolve: begin } = Promise.withResolvers<void>();
      const place: Place = { after: begun, begin };
      line.push(place);
      next();
      return {
        come,
        leave() {
          const index = line.indexOf(place);
          if (index < 0) return;
          line.splice(index, 1);
          begin();
          next();
        },
      };
    },
    renew() {
      const lostMs = writingMs;
      old = begun;
      writingMs = 0;
      return lostMs;
    },
    get writing() {
      return begun - arrived;
    },
    get writingMs() {
      return writingMs;
    },
    get inLine() {
      return line.length;
    },
  };
}
