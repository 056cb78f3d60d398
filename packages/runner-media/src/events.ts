import type { ListenOptions, Logger, Transport, TransportEvents } from "@pipecat-ts/runner-core";
import { bindScope } from "./bind-scope.ts";
import type { DropCounters } from "./counters.ts";
import { estimateBytes } from "./estimate-bytes.ts";

/** The events of one call and their listeners. */
export interface CallEvents<Events extends TransportEvents = TransportEvents> {
  emit<E extends keyof Events & string>(event: E, ...args: Events[E] extends unknown[] ? Events[E] : never): void;
  /** The same for an event that only this transport has. */
  emitOwn(event: string, ...args: readonly unknown[]): void;
  /** Runs `work`, then emits `event`, and then what `work` emitted, also if it throws. Returns the result of `work`. */
  emitBefore<Result>(event: keyof Events & string, work: () => Result): Result;
  /**
   * Registers a listener and returns a function that removes it. Up to 50 events of each name, and messages of about 1 MiB
   * together, are buffered until the first listener without `tap`; it gets them in order in the next microtask, before anything
   * newer. A tap gets them too, and leaves them buffered.
   *
   * A listener runs in the asynchronous scope in which it was registered. An exception in one goes to `onError` of
   * `createCallEvents`, and the other listeners are still called. The 21st listener of an event is logged, with its stack.
   */
  readonly on: Transport<Events>["on"];
}

const maxBuffered = 50;
/** More listeners of one event are probably registered again and again and never removed. */
const usualListeners = 20;
/** In memory: about 1 MiB of text. */
const maxMessageBytes = 2 * 1024 * 1024;

type Args = readonly unknown[];

interface Channel {
  readonly listeners: Set<Listener>;
  /** `undefined` after the first listener. */
  buffered: Args[] | undefined;
  /** Whether its many listeners were logged. */
  warned: boolean;
}

interface Listener {
  readonly tap: boolean;
  call(...args: Args): void;
  /** Buffered events that it gets before anything newer. */
  backlog: Args[];
}

export function createCallEvents<Events extends TransportEvents = TransportEvents>(
  drops: DropCounters,
  logger: Logger,
  onError?: (error: unknown) => void,
): CallEvents<Events> {
  const channels = new Map<string, Channel>();
  let messageBytes = 0;
  /** The events that wait for the one before them, see `emitBefore`. */
  let waiting: Parameters<typeof deliver>[] | undefined;

  function channelOf(event: string): Channel {
    const known = channels.get(event);
    if (known) return known;
    const channel: Channel = { listeners: new Set(), buffered: [], warned: false };
    channels.set(event, channel);
    return channel;
  }

  function buffer(event: string, buffered: Args[], args: Args): void {
    const fits = buffered.length < maxBuffered && (event !== "appMessage" || messageFits(args[0]));
    if (fits) buffered.push(args);
    // Few bots listen to every event, so this does not deserve a warning.
    else if (drops.counters.eventsDropped++ === 0) logger.debug({ event }, "event dropped: no listener");
  }

  /** Once a message does not fit, none does: later messages build on the first, and need not be measured. */
  function messageFits(message: unknown): boolean {
    if (messageBytes <= maxMessageBytes) messageBytes += estimateBytes(message, maxMessageBytes);
    return messageBytes <= maxMessageBytes;
  }

  function emit(event: string, ...args: Args): void {
    if (waiting) waiting.push([event, ...args]);
    else deliver(event, ...args);
  }

  function deliver(event: string, ...args: Args): void {
    const channel = channelOf(event);
    if (channel.buffered) buffer(event, channel.buffered, args);
    for (const listener of [...channel.listeners]) {
      if (listener.backlog.length > 0) listener.backlog.push(args);
      else listener.call(...args);
    }
  }

  return {
    emit,
    emitOwn: emit,
    emitBefore(event, work) {
      const emitted: typeof waiting = [];
      waiting = emitted;
      try {
        return work();
      } finally {
        waiting = undefined;
        emit(event);
        for (const later of emitted) emit(...later);
      }
    },
    on(event: string, callback: (...args: never) => void, { tap = false }: ListenOptions = {}) {
      const channel = channelOf(event);
      const call = bindScope(callback as (...args: Args) => void, onError);
      const listener: Listener = { tap, call, backlog: [...(channel.buffered ?? [])] };
      if (!tap) channel.buffered = undefined;
      channel.listeners.add(listener);
      if (channel.listeners.size > usualListeners && !channel.warned) {
        channel.warned = true;
        const err = new Error(`listener ${channel.listeners.size} of "${event}" was registered`);
        logger.warn({ event, err }, "many listeners of one event; call the function that on() returns to remove one");
      }
      if (listener.backlog.length > 0) queueMicrotask(() => catchUp(channel, listener));
      return () => {
        if (!channel.listeners.delete(listener) || tap || listener.backlog.length === 0) return;
        // It was removed before it got the buffered events: they wait for the next listener.
        if (![...channel.listeners].some((other) => !other.tap)) channel.buffered = listener.backlog;
      };
    },
  };
}

function catchUp(channel: Channel, listener: Listener): void {
  for (let args = listener.backlog[0]; args && channel.listeners.has(listener); args = listener.backlog[0]) {
    listener.backlog.shift();
    listener.call(...args);
  }
}
