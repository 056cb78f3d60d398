/**
 * Orders the writers of the bot's audio: writes to `output` and utterances given to `play` take turns in the order in which
 * they were called. A write counts from its call, however long the stream delays it.
 */
export interface OutputLock {
  /** Registers a write of `ms`. Called from the `size()` of the queuing strategy, which runs within `write()`. */
  beginWrite(ms: number): void;
  /** `undefined` when the write that arrives now may proceed, else a promise for when it may. */
  awaitWrite(): Promise<void> | undefined;
  /** A write of `ms` has arrived, in the order of the calls. Returns whether it was called before the last `newGeneration`. */
  arriveWrite(ms: number): boolean;
  /** Discards registered writes, and ignores those that still arrive: `output` is closed or aborted. */
  forgetWrites(): void;
  /** Waits for the lock behind everything registered so far. */
  acquire(): OutputLease;
  /** Marks every write called until now as old. Returns the ms of those that had not arrived. */
  newGeneration(): number;
  /** Writes that were called and have not arrived. */
  readonly pendingWrites: number;
  /** Ms in these writes, without old ones. */
  readonly pendingMs: number;
  /** Leases that wait for the lock or hold it. */
  readonly leases: number;
}

/** A request for the lock. */
export interface OutputLease {
  /** Resolves when it holds the lock, or was released. */
  readonly acquired: Promise<void>;
  /** Releases the lock, or withdraws the request. Later calls have no effect. */
  release(): void;
}

interface Waiter {
  /** The number of writes before it. */
  readonly after: number;
  readonly grant: () => void;
}

export function createOutputLock(): OutputLock {
  let begun = 0;
  let arrived = 0;
  let old = 0;
  let pendingMs = 0;
  let forgotten = false;
  const waiters: Waiter[] = [];
  let writesMayProceed: PromiseWithResolvers<void> | undefined;

  function next(): void {
    const [first] = waiters;
    if (first && first.after <= arrived) first.grant();
    else admitWrites();
  }

  function admitWrites(): void {
    writesMayProceed?.resolve();
    writesMayProceed = undefined;
  }

  return {
    beginWrite(ms) {
      if (forgotten) return;
      begun += 1;
      pendingMs += ms;
    },
    awaitWrite() {
      const [first] = waiters;
      if (forgotten || !first || first.after > arrived) return undefined;
      writesMayProceed ??= Promise.withResolvers<void>();
      return writesMayProceed.promise;
    },
    arriveWrite(ms) {
      if (forgotten) return true;
      const isOld = arrived < old;
      arrived += 1;
      if (!isOld) pendingMs = arrived === begun ? 0 : pendingMs - ms;
      next();
      return isOld;
    },
    forgetWrites() {
      forgotten = true;
      arrived = begun;
      pendingMs = 0;
      admitWrites();
      next();
    },
    acquire() {
      const { promise: acquired, resolve: grant } = Promise.withResolvers<void>();
      const waiter: Waiter = { after: begun, grant };
      waiters.push(waiter);
      next();
      return {
        acquired,
        release() {
          const index = waiters.indexOf(waiter);
          if (index < 0) return;
          waiters.splice(index, 1);
          grant();
          next();
        },
      };
    },
    newGeneration() {
      const droppedMs = pendingMs;
      old = begun;
      pendingMs = 0;
      return droppedMs;
    },
    get pendingWrites() {
      return begun - arrived;
    },
    get pendingMs() {
      return pendingMs;
    },
    get leases() {
      return waiters.length;
    },
  };
}
