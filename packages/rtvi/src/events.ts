import { mayIgnore } from "./ignorable.ts";
import { dropOldest } from "./messages.ts";
import type { RTVILogger } from "./transport.ts";

/** Events that are held, in order, until a listener is registered. A bot may therefore register its listeners late. */
export interface HeldEvents<Events> {
  /**
   * Registers a listener, delivers what is held for it and returns a function that removes it. Does not catch the listener's
   * exceptions. The 21st listener of an event is logged, with its stack.
   */
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => unknown): () => void;
  /** Whether the event has a listener. */
  has(event: keyof Events): boolean;
  /**
   * Calls the listeners, or holds the event if there are none. The result settles when the listeners have, and rejects if an async
   * one does.
   */
  emit<E extends keyof Events>(event: E, value: Events[E]): Promise<unknown>;
  /**
   * Holds a message that becomes events of this name, until the name has a listener. `deliver` then emits them. The result settles
   * as that of `deliver` does.
   */
  hold(event: keyof Events, deliver: () => unknown, options: HoldOptions): Promise<unknown>;
  /** Removes what is held for one name and returns the number of items. */
  take(event: keyof Events): number;
  /** Removes all listeners and held events. */
  close(): void;
}

/** How a message is held. */
export interface HoldOptions {
  /** Its estimated memory. */
  readonly bytes: number;
  /** The number of items of this name to hold, including this one. Default 50. */
  readonly most?: number | undefined;
  /** Called if the message is dropped because too much is held. */
  refuse?(): void;
}

interface Held {
  readonly deliver: () => void;
  readonly bytes: number;
  readonly refuse?: (() => void) | undefined;
}

/** More listeners of one event are probably registered again and again and never removed. */
const usualListeners = 20;

export function createHeldEvents<Events>(logger: RTVILogger | undefined): HeldEvents<Events> {
  const listeners = new Map<keyof Events, Set<(value: never) => unknown>>();
  const held = new Map<keyof Events, Held[]>();
  /** The events whose many listeners were logged. */
  const warned = new Set<keyof Events>();

  const entry = <V>(map: Map<keyof Events, V>, event: keyof Events, create: () => V): V => {
    const value = map.get(event) ?? create();
    map.set(event, value);
    return value;
  };
  const has = (event: keyof Events): boolean => (listeners.get(event)?.size ?? 0) > 0;
  const hold: HeldEvents<Events>["hold"] = (event, deliver, { bytes, refuse, most }) => {
    const { promise: delivered, resolve } = Promise.withResolvers<unknown>();
    const items = entry(held, event, () => []);
    items.push({ deliver: () => resolve(deliver()), bytes, refuse });
    for (const dropped of dropOldest(items, (item) => item.bytes, most)) dropped.refuse?.();
    return delivered;
  };
  const emit = <E extends keyof Events>(event: E, value: Events[E]): Promise<unknown> => {
    const registered = [...(listeners.get(event) ?? [])];
    if (registered.length === 0) return hold(event, () => emit(event, value), { bytes: 0 });
    return callAll(registered, (listener) => listener(value as never));
  };

  return {
    has,
    emit,
    on(event, listener) {
      const registered = (value: never): unknown => listener(value);
      const others = entry(listeners, event, () => new Set());
      others.add(registered);
      if (others.size > usualListeners && !warned.has(event)) {
        warned.add(event);
        const err = new Error(`listener ${others.size} of "${String(event)}" was registered`);
        logger?.warn({ event, err }, "many listeners of one event; call the function that on() returns to remove one");
      }
      const items = entry(held, event, () => []);
      for (let next = items.shift(); next; next = items.shift()) next.deliver();
      return () => {
        listeners.get(event)?.delete(registered);
      };
    },
    hold,
    take: (event) => held.get(event)?.splice(0).length ?? 0,
    close() {
      listeners.clear();
      held.clear();
    },
  };
}

/**
 * Calls `act` with each value. The result settles when all results have. It rejects if one of them does, except for promises whose
 * rejection the bot may ignore. An exception in `act` is thrown, and the other values are skipped.
 */
export function callAll<Value>(values: readonly Value[], act: (value: Value) => unknown): Promise<unknown> {
  const results: unknown[] = [];
  try {
    for (const value of values) results.push(act(value));
  } catch (error) {
    void Promise.allSettled(results); // A rejection is not unhandled: this exception ends the call.
    throw error;
  }
  return Promise.all(results.filter((result) => !mayIgnore(result)));
}
