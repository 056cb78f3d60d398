import type { ListenOptions, Logger, Transport, TransportEvents } from "@pipecat-ts/runner-core";
import type { Losses } from "./losses.ts";
import { inOwnScope } from "./own-scope.ts";

/** A call's events and who listens to them. */
export interface CallEvents<Events extends TransportEvents = TransportEvents> {
  emit<E extends keyof Events & string>(event: E, ...args: Events[E] extends unknown[] ? Events[E] : never): void;
  /** The same for an event of the transport's own. */
  emitOwn(event: string, ...args: readonly unknown[]): void;
  /**
   * Registers a listener and returns what removes it. Events are held, the first 50 of each name, until a listener for
   * them is there that is no tap; it gets them in the next microtask, in order, and before anything newer. A tap gets
   * them too, and leaves them held.
   *
   * A listener runs in the asynchronous scope it was registered in. One that throws keeps no other from being called: its
   * error becomes an uncaught exception of that scope, so that a host sees whose it is by its `AsyncLocalStorage`, as with
   * a timer of the same bot that throws.
   */
  readonly on: Transport<Events>["on"];
}

const heldEvents = 50;

type Args = readonly unknown[];

interface Channel {
  readonly listeners: Set<Listener>;
  /** `undefined` once a listener was there. */
  held: Args[] | undefined;
}

interface Listener {
  readonly tap: boolean;
  call(...args: Args): void;
  /** What it is still to be called with before anything newer. */
  behind: Args[];
}

export function createCallEvents<Events extends TransportEvents = TransportEvents>(
  losses: Losses,
  logger: Logger,
): CallEvents<Events> {
  const channels = new Map<string, Channel>();

  function channelOf(event: string): Channel {
    const known = channels.get(event);
    if (known) return known;
    const channel: Channel = { listeners: new Set(), held: [] };
    channels.set(event, channel);
    return channel;
  }

  function hold(event: string, held: Args[], args: Args): void {
    if (held.length < heldEvents) held.push(args);
    // Few bots listen to every event, so that this is no reason to warn.
    else if (losses.counters.eventsDropped++ === 0)
      logger.debug(`Nobody listens to "${event}": no more is held of it.`);
  }

  function emit(event: string, ...args: Args): void {
    const channel = channelOf(event);
    if (channel.held) hold(event, channel.held, args);
    for (const listener of [...channel.listeners]) {
      if (listener.behind.length > 0) listener.behind.push(args);
      else listener.call(...args);
    }
  }

  return {
    emit,
    emitOwn: emit,
    on(event: string, callback: (...args: never) => void, { tap = false }: ListenOptions = {}) {
      const channel = channelOf(event);
      const call = inOwnScope(callback as (...args: Args) => void);
      const listener: Listener = { tap, call, behind: [...(channel.held ?? [])] };
      if (!tap) channel.held = undefined;
      channel.listeners.add(listener);
      if (listener.behind.length > 0) queueMicrotask(() => catchUp(channel, listener));
      return () => {
        if (!channel.listeners.delete(listener) || tap || listener.behind.length === 0) return;
        // It goes before it was called with what was held: that waits for the next listener.
        if (![...channel.listeners].some((other) => !other.tap)) channel.held = listener.behind;
      };
    },
  };
}

function catchUp(channel: Channel, listener: Listener): void {
  for (let args = listener.behind[0]; args && channel.listeners.has(listener); args = listener.behind[0]) {
    listener.behind.shift();
    listener.call(...args);
  }
}
