import type { RTVIMessage } from "../messages.ts";
import type { RTVITransport } from "../transport.ts";

type Event =
  | "appMessage"
  | "botStartedSpeaking"
  | "botStoppedSpeaking"
  | "botInterrupted"
  | "botSpeechProgress"
  | "dtmf";
type Listener = (value: never, sender?: string) => void;

/** A transport for tests. It holds events like the runner's transport and records sent messages as the client receives them. */
export interface FakeTransport extends RTVITransport {
  /** The sent messages, converted to JSON and back. */
  readonly sent: RTVIMessage[];
  /** The exceptions of listeners, and the rejections of async ones. */
  readonly failures: unknown[];
  /** The number of registered listeners, including taps. */
  readonly listening: number;
  readonly closeCalls: number;
  /** If set, every `sendMessage` rejects with it. */
  refusal: Error | undefined;
  emit(event: Event, value?: unknown, sender?: string): void;
  /** Emits a client message in its envelope. */
  client(type: string, data?: unknown, id?: string): void;
  /** Ends the call as if the caller had left. */
  end(): Promise<void>;
  /** Called with each message sent. */
  wire: ((message: RTVIMessage) => void) | undefined;
}

export function createFakeTransport(): FakeTransport {
  const listeners = new Map<Listener, { readonly event: Event; readonly tap: boolean }>();
  const held: { readonly event: Event; readonly value: unknown; readonly sender: string | undefined }[] = [];
  let resolveClosed: (reason: unknown) => void = () => undefined;
  const closed = new Promise<unknown>((resolve) => {
    resolveClosed = resolve;
  });
  let closeCalls = 0;
  let ids = 0;

  const call = (listener: Listener, value: unknown, sender?: string): void => {
    try {
      const result: unknown = listener(value as never, sender);
      if (result instanceof Promise) result.catch((error: unknown) => fake.failures.push(error));
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
      const registered: Listener = (value, sender) => listener(value, sender);
      listeners.set(registered, { event, tap });
      for (const early of held.filter((each) => each.event === event)) {
        if (!tap) held.splice(held.indexOf(early), 1);
        call(registered, early.value, early.sender);
      }
      return () => {
        listeners.delete(registered);
      };
    },
    async sendMessage(message) {
      if (fake.refusal) throw fake.refusal;
      const received: RTVIMessage = JSON.parse(JSON.stringify(message));
      fake.sent.push(received);
      fake.wire?.(received);
    },
    async close() {
      closeCalls += 1;
      await fake.end();
    },
    emit(event, value, sender) {
      const matching = [...listeners].filter(([, entry]) => entry.event === event);
      if (matching.every(([, { tap }]) => tap)) held.push({ event, value, sender });
      for (const [listener] of matching) call(listener, value, sender);
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
