import { AsyncLocalStorage } from "node:async_hooks";

/**
 * `callback`, run in the asynchronous scope of this moment whoever calls it. What it throws does not reach the caller: it
 * becomes an uncaught exception of that scope, so that a host sees whose it is.
 */
export function inOwnScope<Args extends readonly unknown[]>(
  callback: (...args: Args) => void,
): (...args: Args) => void {
  const scope = AsyncLocalStorage.snapshot();
  return (...args) => {
    try {
      scope(callback, ...args);
    } catch (error) {
      // By an immediate: a microtask that throws has lost its scope on Node 22, and a tick that throws leaves Node 24 in
      // its scope, so that connections accepted later run in it.
      scope(setImmediate, () => {
        throw error;
      });
    }
  };
}
