import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";

/** For tests: a socket without a network, whose far end the test plays. */
export interface FakeSocket {
  readonly socket: WebSocket;
  /** What was sent, as hex. */
  readonly sent: string[];
  /** What was done to it: `close 1000 bot-finished`, `terminate`. */
  readonly calls: string[];
  /** Bytes that wait to be read. */
  waiting: number;
  /** Delivers a message. */
  receive(data: Uint8Array, isBinary?: boolean): void;
  /** Breaks the protocol, as `ws` reports it. */
  fail(error: Error): void;
  /** Closes the connection. */
  leave(): void;
}

export function createFakeSocket(): FakeSocket {
  const events = new EventEmitter();
  const sent: string[] = [];
  const calls: string[] = [];
  let readyState = 1;
  const fake = {
    socket: Object.assign(events, {
      OPEN: 1,
      CLOSING: 2,
      CLOSED: 3,
      send(data: Uint8Array, callback?: (error?: Error) => void) {
        if (readyState === 1) sent.push(Buffer.from(data).toString("hex"));
        callback?.(readyState === 1 ? undefined : new Error(`WebSocket is not open: readyState ${readyState}`));
      },
      close(code: number, reason: string) {
        calls.push(`close ${code} ${reason}`);
        readyState = 2;
      },
      terminate() {
        calls.push("terminate");
        fake.leave();
      },
    }) as unknown as WebSocket,
    sent,
    calls,
    waiting: 0,
    receive: (data: Uint8Array, isBinary = true) => events.emit("message", Buffer.from(data), isBinary),
    fail: (error: Error) => events.emit("error", error),
    leave() {
      readyState = 3;
      events.emit("close", 1006, Buffer.alloc(0));
    },
  };
  Object.defineProperties(fake.socket, {
    readyState: { get: () => readyState },
    bufferedAmount: { get: () => fake.waiting },
  });
  return fake;
}
