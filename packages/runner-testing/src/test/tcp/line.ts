import type { Socket } from "node:net";
import type { Caller, MediaPort } from "@pipecat-ts/runner-media";
import { createDecoder, encode, type Message, sampleRate } from "./messages.ts";

/** One caller's connection, listened to from the moment it opened. */
export interface Line {
  /** The first message, `undefined` when it is no hello or the caller leaves before it. */
  readonly hello: Promise<Hello | undefined>;
  /** Resolves when the caller said goodbye or is gone. */
  readonly left: Promise<void>;
  /** Tells `caller` what was kept until now, and from now on everything. */
  attach(caller: Caller): void;
  /** Puts one message on the wire. */
  send(message: Message): void;
  /** Sends what waits and closes; resolves when it is closed. */
  hangUp(): Promise<void>;
}

/** How a caller introduces themselves. */
export type Hello = Extract<Message, { kind: "hello" }>;

/** How much is kept of a caller whose bot does not listen yet. */
const keptMessages = 50;

export function createLine(socket: Socket): Line {
  const decoder = createDecoder();
  const kept: Message[] = [];
  let caller: Caller | undefined;

  function take(message: Message): void {
    if (message.kind === "bye") socket.end();
    else if (caller) tell(caller, message);
    else if (kept.length < keptMessages) kept.push(message);
  }

  const hello = new Promise<Hello | undefined>((resolve) => {
    socket.on("data", (chunk) => {
      for (const message of decoder.decode(chunk)) {
        if (message.kind === "hello") resolve(message);
        else take(message);
      }
    });
    socket.once("close", () => resolve(undefined));
  });
  // A reset connection is closed next, and that is all there is to know of it.
  socket.on("error", () => socket.destroy());
  const left = new Promise<void>((resolve) => {
    socket.once("close", () => {
      caller?.left();
      resolve();
    });
  });

  return {
    hello,
    left,
    attach(to) {
      caller = to;
      to.connected();
      for (const message of kept.splice(0)) tell(to, message);
      if (socket.closed) to.left();
    },
    send: (message) => void socket.write(encode(message)),
    hangUp: () => hangUp(socket),
  };
}

/** What media needs of the wire. */
export function createPort(line: Line): MediaPort {
  return {
    sampleRates: [sampleRate],
    frameMs: 20,
    sendAheadMs: 200,
    send: (frame) => line.send({ kind: "audio", frame }),
    clear: () => line.send({ kind: "clear" }),
    sendMessage: async (message) => line.send({ kind: "app", message }),
    close: () => line.hangUp(),
  };
}

function tell(caller: Caller, message: Message): void {
  if (message.kind === "audio") caller.audio(message.frame);
  if (message.kind === "app") caller.message(message.message);
}

/** Closes what the caller does not close by itself within a second. */
async function hangUp(socket: Socket): Promise<void> {
  if (socket.closed) return;
  const timer = setTimeout(() => socket.destroy(), 1_000);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.end();
  await closed;
  clearTimeout(timer);
}
