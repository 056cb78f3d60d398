/** How many events of one name are held while nobody listens for it. */
const maxHeld = 50;

/** Events that are held, in order, until somebody listens for them: a bot may take its time to say what it listens for. */
export interface HeldEvents<Events> {
  /** Registers a listener, first giving it what was held. Returns what removes it. What a listener throws reaches whoever caused the call. */
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => void): () => void;
  /** Tells the listeners, or holds the event. */
  emit<E extends keyof Events>(event: E, value: Events[E], options?: HoldOptions): void;
  /** Takes away what is held of an event, and says how many that were. */
  take(event: keyof Events): number;
  /** Forgets listeners and held events. */
  close(): void;
}

/** How an event is held while nobody listens for it. */
export interface HoldOptions {
  /** How many of this event are held, this one included. Default 50. */
  readonly most?: number;
  /** Called should it be dropped unheard, because too many are held. */
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
      const own = (value: never): void => listener(value);
      entry(listeners, event, () => new Set()).add(own);
      const waiting = entry(held, event, () => []);
      for (let next = waiting.shift(); next; next = waiting.shift()) own(next.value);
      return () => {
        listeners.get(event)?.delete(own);
      };
    },
    emit(event, value, { most = maxHeld, refuse } = {}) {
      const told = listeners.get(event);
      if (told && told.size > 0) {
        for (const listener of [...told]) listener(value as never);
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
