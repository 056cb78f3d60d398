/** Registered, because the package `rtvi`, which imports nothing from the runner, marks its promises too. */
const ignorable = Symbol.for("pipecat.ignorable");

/** Lets a bot ignore the rejection of a promise, and return the promise from a listener. */
export function letIgnore<P extends Promise<unknown>>(promise: P): P {
  promise.catch(() => undefined);
  return Object.assign(promise, { [ignorable]: true });
}

export function mayIgnore(value: unknown): boolean {
  return value instanceof Promise && ignorable in value;
}
