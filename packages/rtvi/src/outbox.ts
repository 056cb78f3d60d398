import type { Handshake } from "./handshake.ts";
import { letIgnore } from "./ignorable.ts";
import { problemWith } from "./messages.ts";
import { createConverter, type Message, type RTVIClient } from "./protocols.ts";
import { type ServerMessages, type ServerMessageType, serverMessage, serverSchemas } from "./server-messages.ts";
import { type RTVITransport, sendMessage } from "./transport.ts";

/** The number of messages held for a client that is not ready yet. If there are more, the oldest are dropped. */
const maxWaiting = 100;

/** Sends all of the bot's RTVI messages, in order. */
export interface Outbox {
  /**
   * Sends a message in the client's protocol, or holds it until the client is ready. Does not send a message that this
   * protocol does not have. Resolves when the message was sent or held, so that bots do not hang if the client never becomes
   * ready (a phone). Rejects with a TypeError that names the field if `data` does not match the message's schema, or with the
   * transport's error. The rejection may be ignored. After the call it sends nothing and resolves.
   */
  send<T extends ServerMessageType>(type: T, data: ServerMessages[T], id?: string): Promise<void>;
  /** Drops the held messages. */
  close(): void;
}

type Outgoing = Message & { readonly id: string | undefined };

export function createOutbox(transport: RTVITransport, handshake: Handshake): Outbox {
  const { logger, listeners } = handshake;
  const convert = createConverter();
  let waiting: Outgoing[] = [];
  let dropped = 0;
  let warnedOnce = false;
  let closed = false;

  const keep = (message: Outgoing): void => {
    waiting.push(JSON.parse(JSON.stringify(message)));
    if (waiting.length <= maxWaiting) return;
    waiting.shift();
    dropped += 1;
  };
  const transmit = async (message: Outgoing, client: RTVIClient): Promise<void> => {
    const converted = convert(message, client);
    if (converted === undefined) return;
    const { type, data } = converted;
    await sendMessage(transport, serverMessage(type, data as ServerMessages[typeof type], message.id));
  };
  const post = async (message: Outgoing): Promise<void> => {
    if (closed) return;
    const problem = problemWith(serverSchemas[message.type], message.data, "data");
    if (problem !== undefined) throw new TypeError(`RTVI message "${message.type}" not sent: ${problem}.`);
    if (handshake.client === undefined) keep(message);
    else await transmit(message, handshake.client);
  };
  /** Logs the first rejection. Callers may ignore it. */
  const logged = (sending: Promise<void>, { type }: Outgoing): Promise<void> => {
    sending.catch((err) => {
      if (!warnedOnce) logger?.warn({ err, type }, "rtvi message not sent; later failures are not logged");
      warnedOnce = true;
    });
    return letIgnore(sending);
  };

  const flush = (client: RTVIClient): void => {
    if (dropped > 0) logger?.warn({ dropped }, "rtvi messages dropped before the client was ready");
    dropped = 0;
    for (const message of waiting.splice(0)) void logged(transmit(message, client), message);
  };
  listeners.add(flush);

  return {
    send(type, data, id) {
      const message: Outgoing = { type, data, id };
      return logged(post(message), message);
    },
    close() {
      closed = true;
      listeners.delete(flush);
      waiting = [];
    },
  };
}
