import { dropOldest } from "./messages.ts";
import type { RTVILogger } from "./transport.ts";

/** Events that are held, in order, until a listener is registered. A bot may therefore register its listeners late. */
export interface HeldEvents<Events> {
  /**
   * Registers a listener, delivers what is held for it and returns a function that removes it. Does not catch the listener's
   * errors. The 21st listener of an event is logged, with its stack.
   */
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => void): () => void;
  /** Whether the event has a listener. */
  has(event: keyof Events): boolean;
  /** Calls the listeners, or holds the event if there are none. */
  emit<E extends keyof Events>(event: E, value: Events[E]): void;
  /** Holds a message that becomes events of this name, until the name has a listener. `deliver` then emits them. */
  hold(event: keyof Events, deliver: () => void, options: HoldOptions): void;
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
  const listeners = new Map<keyof Events, Set<(value: never) => void>>();
  const held = new Map<keyof Events, Held[]>();
  /** The events whose many listeners were logged. */
  const warned = new Set<keyof Events>();

  const entry = <V>(map: Map<keyof Events, V>, event: keyof Events, create: () => V): V => {
    const value = map.get(event) ?? create();
    map.set(event, value);
    return value;
  };
  const has = (event: keyof Events): boolean => (listeners.get(event)?.size ?? 0) > 0;
  const push = (event: keyof Events, item: Held, most?: number): void => {
    const items = entry(held, event, () => []);
    items.push(item);
    for (const { refuse } of dropOldest(items, ({ bytes }) => bytes, most)) refuse?.();
  };
  const emit = <E extends keyof Events>(event: E, value: Events[E]): void => {
    const registered = [...(listeners.get(event) ?? [])];
    if (registered.length === 0) push(event, { deliver: () => emit(event, value), bytes: 0 });
    else for (const listener of registered) listener(value as never);
  };

  return {
    has,
    emit,
    on(event, listener) {
      const registered = (value: never): void => listener(value);
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
    hold: (event, deliver, { bytes, refuse, most }) => push(event, { deliver, bytes, refuse }, most),
    take: (event) => held.get(event)?.splice(0).length ?? 0,
    close() {
      listeners.clear();
      held.clear();
    },
  };
}
