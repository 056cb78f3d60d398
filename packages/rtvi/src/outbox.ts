import type { Handshake, RTVIClient } from "./handshake.ts";
import { problemWith } from "./messages.ts";
import {
  type BotOutputData,
  type FunctionCallData,
  type LegacyBotOutputData,
  type ServerMessages,
  type ServerMessageType,
  serverMessage,
  serverSchemas,
} from "./server-messages.ts";
import { type RTVITransport, sendMessage } from "./transport.ts";

/** The number of messages held for a client that is not ready yet. If there are more, the oldest are dropped. */
const maxWaiting = 100;

/** Sends all of the bot's RTVI messages, in order. */
export interface Outbox {
  /**
   * Sends a message, or holds it until the client is ready. Resolves when it was sent or held, so that bots do not hang if
   * the client never becomes ready (a phone). Rejects with a TypeError that names the field if `data` does not match the
   * message's schema, or with the transport's error. The rejection may be ignored. After the call it sends nothing and
   * resolves.
   */
  send<T extends ServerMessageType>(type: T, data: ServerMessages[T], id?: string): Promise<void>;
  /** Drops the held messages. */
  close(): void;
}

interface Message {
  readonly type: ServerMessageType;
  readonly data: unknown;
}
type Outgoing = Message & { readonly id: string | undefined };

export function createOutbox(transport: RTVITransport, handshake: Handshake): Outbox {
  const { logger, listeners } = handshake;
  const toLegacy = createLegacyConverter();
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
  const transmit = async (message: Outgoing): Promise<void> => {
    const { client } = handshake;
    const { type, data } = client?.legacy ? toLegacy(message, client) : message;
    await sendMessage(transport, serverMessage(type, data as ServerMessages[typeof type], message.id));
  };
  const post = async (message: Outgoing): Promise<void> => {
    if (closed) return;
    const problem = problemWith(serverSchemas[message.type], message.data, "data");
    if (problem !== undefined) throw new TypeError(`RTVI message "${message.type}" not sent: ${problem}.`);
    if (handshake.client === undefined) keep(message);
    else await transmit(message);
  };
  /** Marks the rejection as handled, because callers may ignore it, and logs the first one. */
  const logged = (sending: Promise<void>, { type }: Outgoing): Promise<void> => {
    sending.catch((err) => {
      if (!warnedOnce) logger?.warn({ err, type }, "rtvi message not sent; later failures are not logged");
      warnedOnce = true;
    });
    return sending;
  };

  const flush = (): void => {
    if (dropped > 0) logger?.warn({ dropped }, "rtvi messages dropped before the client was ready");
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

/**
 * Converts messages to protocol 1. Its `bot-output` announces each sentence once, and then sends each spoken piece. Before
 * 1.2 (client-js 1.6), `llm-function-call` replaced `llm-function-call-in-progress`. All other messages are the same in
 * both protocols. The converter remembers its position in the segment that is being spoken.
 */
function createLegacyConverter(): (message: Message, client: RTVIClient) => Message {
  let position = { segment: 0, spoken: 0 };

  const convertOutput = (data: BotOutputData): LegacyBotOutputData => {
    const { text, aggregated_by, segment_id, spoken_status, spoken_progress } = data;
    if (spoken_status === undefined || spoken_status === "new") return { text, aggregated_by, spoken: false };
    const from = position.segment === segment_id ? position.spoken : 0;
    const to = spoken_progress?.accumulated_text.length ?? text.length;
    position = { segment: segment_id, spoken: to };
    const whole = from === 0 && to === text.length;
    return { text: text.slice(from, to).trim(), aggregated_by: whole ? aggregated_by : "word", spoken: true };
  };

  return (message, client) => {
    const { type, data } = message;
    if (type === "bot-output") return { type, data: convertOutput(data as BotOutputData) };
    if (type === "llm-function-call-in-progress" && /^1\.[01]\./.test(client.version ?? "")) {
      const { function_name = "", tool_call_id, arguments: args = {} } = data as FunctionCallData;
      return { type: "llm-function-call", data: { function_name, tool_call_id, args } };
    }
    return message;
  };
}
