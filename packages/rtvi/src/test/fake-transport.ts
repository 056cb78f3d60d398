import type { RTVIMessage } from "../messages.ts";
import type { RTVITransport } from "../transport.ts";

type Event = "appMessage" | "botStartedSpeaking" | "botStoppedSpeaking" | "dtmf";
type Listener = (value: never) => void;

/** A transport for tests: it holds events as the runner's does, and keeps what was sent as the client would read it. */
export interface FakeTransport extends RTVITransport {
  /** What was sent, after a trip through JSON. */
  readonly sent: RTVIMessage[];
  /** What listeners threw. */
  readonly failures: unknown[];
  /** How many listeners are registered, taps included. */
  readonly listening: number;
  readonly closeCalls: number;
  /** When set, every `sendMessage` rejects with it. */
  refusal: Error | undefined;
  emit(event: Event, value?: unknown): void;
  /** A message of the client's, in its envelope. */
  client(type: string, data?: unknown, id?: string): void;
  /** Ends the call, as when the caller leaves. */
  end(): Promise<void>;
  /** Called with each message sent. */
  wire: ((message: RTVIMessage) => void) | undefined;
}

export function createFakeTransport(): FakeTransport {
  const listeners = new Map<Listener, { readonly event: Event; readonly tap: boolean }>();
  const held: { readonly event: Event; readonly value: unknown }[] = [];
  let resolveClosed: (reason: unknown) => void = () => undefined;
  const closed = new Promise<unknown>((resolve) => {
    resolveClosed = resolve;
  });
  let closeCalls = 0;
  let ids = 0;

  const guarded = (listener: Listener, value: unknown): void => {
    try {
      listener(value as never);
    } catch (error) {
      fake.failures.push(error);
    }
  };
  const fake: FakeTransport = {
    sent: [],
    failures: [],
    refusal: undefined,
    wire: undefined,
    closed,
    get listening() {
      return listeners.size;
    },
    get closeCalls() {
      return closeCalls;
    },
    on(event: Event, listener: Listener, { tap = false } = {}) {
      const own: Listener = (value) => listener(value);
      listeners.set(own, { event, tap });
      for (const early of held.filter((each) => each.event === event)) {
        if (!tap) held.splice(held.indexOf(early), 1);
        guarded(own, early.value);
      }
      return () => {
        listeners.delete(own);
      };
    },
    async sendMessage(message) {
      if (fake.refusal) throw fake.refusal;
      const read: RTVIMessage = JSON.parse(JSON.stringify(message));
      fake.sent.push(read);
      fake.wire?.(read);
    },
    async close() {
      closeCalls += 1;
      await fake.end();
    },
    emit(event, value) {
      const told = [...listeners].filter(([, entry]) => entry.event === event);
      if (told.every(([, { tap }]) => tap)) held.push({ event, value });
      for (const [listener] of told) guarded(listener, value);
    },
    client(type, data, id) {
      ids += 1;
      fake.emit("appMessage", {
        label: "rtvi-ai",
        type,
        id: id ?? `c${ids}`,
        ...(data === undefined ? {} : { data }),
      });
    },
    async end() {
      resolveClosed("caller-left");
      await closed;
      await Promise.resolve();
    },
  };
  return fake;
}
