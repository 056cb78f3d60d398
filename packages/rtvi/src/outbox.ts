import type { Handshake } from "./handshake.ts";
import { createLegacyForm, type Outgoing as Message } from "./legacy.ts";
import { problemWith } from "./messages.ts";
import { sendMessage } from "./sending.ts";
import { type ServerMessages, type ServerMessageType, serverMessage } from "./server-messages.ts";
import { serverSchemas } from "./server-schemas.ts";
import type { RTVITransport } from "./transport.ts";

/** How many messages wait for a client that is not ready; of more, the oldest are dropped. */
const maxWaiting = 100;

/** The way out for everything the bot says by RTVI, in the order it was said. */
export interface Outbox {
  /**
   * Sends a message, or keeps it until the client is ready. Resolves once it was sent or kept: a call whose client never
   * gets ready (a phone) hangs nobody. Rejects with a TypeError that names the field when `data` is not what the message
   * takes, and with what the transport rejects with; a rejection that nobody handles harms nothing. After the end of the
   * call it sends nothing and resolves.
   */
  send<T extends ServerMessageType>(type: T, data: ServerMessages[T], id?: string): Promise<void>;
  /** Forgets what waits. */
  close(): void;
}

type Outgoing = Message & { readonly id: string | undefined };

export function createOutbox(transport: RTVITransport, handshake: Handshake): Outbox {
  const { logger, listeners } = handshake;
  const legacyForm = createLegacyForm();
  let waiting: Outgoing[] = [];
  let dropped = 0;
  let failed = false;
  let closed = false;

  const keep = (message: Outgoing): void => {
    waiting.push(JSON.parse(JSON.stringify(message)));
    if (waiting.length <= maxWaiting) return;
    waiting.shift();
    dropped += 1;
  };
  const transmit = async (message: Outgoing): Promise<void> => {
    const { client } = handshake;
    const { type, data } = client?.legacy ? legacyForm(message, client) : message;
    await sendMessage(transport, serverMessage(type, data as ServerMessages[typeof type], message.id));
  };
  const post = async (message: Outgoing): Promise<void> => {
    if (closed) return;
    const problem = problemWith(serverSchemas[message.type], message.data, "data");
    if (problem !== undefined) throw new TypeError(`An RTVI "${message.type}" was not sent: ${problem}.`);
    if (handshake.client === undefined) keep(message);
    else await transmit(message);
  };
  /** A failure is its caller's to handle, who need not: so that none is lost silently, the first is logged. */
  const logged = (sending: Promise<void>, { type }: Outgoing): Promise<void> => {
    sending.catch((error) => {
      if (!failed) logger?.warn(`An RTVI "${type}" was not sent: ${error}`);
      failed = true;
    });
    return sending;
  };

  const flush = (): void => {
    if (dropped > 0) logger?.warn(`${dropped} RTVI messages were dropped before the client was ready.`);
    dropped = 0;
    for (const message of waiting.splice(0)) void logged(transmit(message), message);
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
