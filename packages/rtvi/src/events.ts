/** The number of events of one name that are held while the name has no listener. */
const maxHeld = 50;

/** Events that are held, in order, until a listener is registered. A bot may therefore register its listeners late. */
export interface HeldEvents<Events> {
  /** Registers a listener, delivers the held events to it and returns a function that removes it. Does not catch the listener's errors. */
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => void): () => void;
  /** Calls the listeners, or holds the event if there are none. */
  emit<E extends keyof Events>(event: E, value: Events[E], options?: HoldOptions): void;
  /** Removes the held events of one name and returns their number. */
  take(event: keyof Events): number;
  /** Removes all listeners and held events. */
  close(): void;
}

/** How an event is held while it has no listener. */
export interface HoldOptions {
  /** The number of events of this name to hold, including this one. Default 50. */
  readonly most?: number;
  /** Called if the event is dropped because too many are held. */
  refuse?(): void;
}

export function createHeldEvents<Events>(): HeldEvents<Events> {
  type Held = { readonly value: never; readonly refuse: (() => void) | undefined };
  const listeners = new Map<keyof Events, Set<(value: never) => void>>();
  const held = new Map<keyof Events, Held[]>();

  const entry = <V>(map: Map<keyof Events, V>, event: keyof Events, create: () => V): V => {
    const value = map.get(event) ?? create();
    map.set(event, value);
    return value;
  };

  return {
    on(event, listener) {
      const registered = (value: never): void => listener(value);
      entry(listeners, event, () => new Set()).add(registered);
      const waiting = entry(held, event, () => []);
      for (let next = waiting.shift(); next; next = waiting.shift()) registered(next.value);
      return () => {
        listeners.get(event)?.delete(registered);
      };
    },
    emit(event, value, { most = maxHeld, refuse } = {}) {
      const registered = listeners.get(event);
      if (registered && registered.size > 0) {
        for (const listener of [...registered]) listener(value as never);
        return;
      }
      const waiting = entry(held, event, () => []);
      waiting.push({ value: value as never, refuse });
      if (waiting.length > most) waiting.shift()?.refuse?.();
    },
    take(event) {
      return held.get(event)?.splice(0).length ?? 0;
    },
    close() {
      listeners.clear();
      held.clear();
    },
  };
}
