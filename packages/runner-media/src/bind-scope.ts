import { AsyncLocalStorage } from "node:async_hooks";
import { mayIgnore } from "./ignorable.ts";

/**
 * Binds `callback` to the current asynchronous scope for all later calls. An exception does not reach the caller: it goes
 * to `onError`, in that scope, as does the rejection of an async callback, unless the bot may ignore it. Without `onError`, both are
 * uncaught in that scope.
 */
export function bindScope<Args extends readonly unknown[]>(
  callback: (...args: Args) => void,
  onError?: (error: unknown) => void,
): (...args: Args) => void {
  const scope = AsyncLocalStorage.snapshot();
  return (...args) => {
    try {
      const result: unknown = scope(callback, ...args);
      if (onError && result instanceof Promise && !mayIgnore(result))
        result.catch((error: unknown) => scope(onError, error));
    } catch (error) {
      if (onError) return scope(onError, error);
      // In an immediate: on Node 22 a microtask that throws has lost its scope, and on Node 24 a tick that throws leaves the
      // process in its scope, so that connections accepted later run in it.
      scope(setImmediate, () => {
        throw error;
      });
    }
  };
}
