import { AsyncLocalStorage } from "node:async_hooks";
import type { Caller } from "./port.ts";

/** Where the wire tells of its caller. */
export interface Entrance {
  /** For the wire: to be called from any asynchronous scope. */
  readonly caller: Caller;
  /** Has `to` told of everything, what was told until now first. Its functions are called without `this`. */
  open(to: Caller): void;
}

/** An entrance into the asynchronous scope it is created in. */
export function createEntrance(): Entrance {
  const scope = AsyncLocalStorage.snapshot();
  let early: (() => void)[] = [];
  let inside: Caller | undefined;

  function admit<Args extends unknown[]>(choose: (to: Caller) => (...args: Args) => void): (...args: Args) => void {
    return (...args) => {
      if (inside) scope(choose(inside), ...args);
      else early.push(() => inside && scope(choose(inside), ...args));
    };
  }

  return {
    caller: {
      connected: admit((to) => to.connected),
      audio: admit((to) => to.audio),
      message: admit((to) => to.message),
      dtmf: admit((to) => to.dtmf),
      played: admit((to) => to.played),
      error: admit((to) => to.error),
      event: admit((to) => to.event),
      left: admit((to) => to.left),
    },
    open(to) {
      inside = to;
      for (const tell of early) tell();
      early = [];
    },
  };
}
