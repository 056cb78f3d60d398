import { type BotOutputOptions, type BotSpeechOptions, createBotOutputs, type SpokenSegment } from "./bot-output.ts";
import type { RTVIClient } from "./client.ts";
import { type Answers, clientMessages, type RTVIEvents } from "./client-messages.ts";
import { createHeldEvents } from "./events.ts";
import { type Handshake, type HandshakeOptions, handshakeOf } from "./handshake.ts";
import { type ClientEnvelope, quote } from "./messages.ts";
import { createOutbox } from "./outbox.ts";
import type { RTVITransport } from "./transport.ts";

/**
 * The bot's side of RTVI.
 *
 * Whatever is sent before the client is ready waits for it (the latest 100 messages) and follows `bot-ready` in order.
 * Every sender resolves when its message was sent or kept; awaiting one hangs no bot, and a rejection that nobody handles
 * harms nothing.
 */
export interface RTVI {
  /**
   * Resolves with the client once it said `client-ready`, and with undefined when the call ended without that. Never
   * rejects. A caller without RTVI, on a phone say, is never ready: do not await it before greeting.
   */
  readonly ready: Promise<RTVIClient | undefined>;
  /** The client, once it is ready. */
  readonly client: RTVIClient | undefined;
  /**
   * Listens to the client, and returns what stops that. What came before the first listener of its kind was held (50 of
   * each) and is delivered in order before this returns. What a listener throws reaches the transport, which ends the session.
   */
  on<E extends keyof RTVIEvents>(event: E, listener: (value: RTVIEvents[E]) => void): () => void;
  /** Sends anything that JSON can carry to the application: `onServerMessage`. */
  sendServerMessage(data: unknown): Promise<void>;
  /** Shows text that is not spoken; behind speech that is not heard yet, it waits its turn. */
  botOutput(text: string, options?: BotOutputOptions): Promise<void>;
  /**
   * Shows text that is spoken, from when the bot is heard (the transport's `botStartedSpeaking`). Give it the `playback`
   * of its audio, or tell its progress by hand.
   */
  botSpeech(text: string, options?: BotSpeechOptions): SpokenSegment;
  /** Shows what the caller said. Not `final`: what was heard so far, replaced by the next. */
  userTranscription(transcription: UserTranscription): Promise<void>;
  /** The caller began to speak, by the bot's voice detection. Ends the bot's bubble in the React kit. */
  userStartedSpeaking(): Promise<void>;
  userStoppedSpeaking(): Promise<void>;
  /** Tells the client of an error. `fatal` makes it disconnect. */
  error(message: string, options?: { readonly fatal?: boolean }): Promise<void>;
}

/** What the caller said. */
export interface UserTranscription {
  readonly text: string;
  readonly final: boolean;
  /** Who said it, where several people share the call. Default "". */
  readonly userId?: string;
  /** When, in ISO 8601. Default now. */
  readonly timestamp?: string;
}

/**
 * Speaks RTVI with the client of this call: what `answerHandshake` leaves to the bot. Answers the handshake too where no
 * host did; only then do `options` count. One transport has one: a second call returns the first's.
 *
 * Every RTVI message is now answered where the protocol asks for it: one of a type unknown here with an `error-response`,
 * and so one whose data is not what its type takes. Messages that came earlier were held (the latest 50) and are not lost.
 * The bot's own `appMessage` listeners go on seeing everything; other messages than RTVI's are theirs alone.
 *
 * `bot-started-speaking` and `bot-stopped-speaking` are sent whenever the transport says so: create it before the bot speaks.
 */
export function createRTVI(transport: RTVITransport, options: HandshakeOptions = {}): RTVI {
  const handshake = handshakeOf(transport, options);
  handshake.rtvi ??= startRTVI(transport, handshake);
  return handshake.rtvi as RTVI;
}

function startRTVI(transport: RTVITransport, handshake: Handshake): RTVI {
  const outbox = createOutbox(transport, handshake);
  const outputs = createBotOutputs(outbox, handshake.logger);
  const events = createHeldEvents<RTVIEvents>();

  const ready = new Promise<RTVIClient | undefined>((resolve) => {
    if (handshake.client) resolve(handshake.client);
    handshake.listeners.add(resolve);
    const gone = () => resolve(undefined);
    transport.closed.then(gone, gone);
  });

  const receive = ({ type, id, data }: ClientEnvelope): void => {
    const answers: Answers = {
      id,
      error: (error) => outbox.send("error-response", { error }, id),
      respond: (t, d) => outbox.send("server-response", d === undefined ? { t } : { t, d }, id),
    };
    const row = clientMessages.get(type);
    if (row === undefined) return void answers.error(`Unsupported type ${quote(type)}`);
    const problem = row.problem(data ?? {});
    if (problem !== undefined) return void answers.error(`Invalid message: ${problem}`);
    events.emit(row.event, row.read(data ?? {}, answers) as never, () => {
      void answers.error(`The bot does not listen for ${type}`);
    });
    if (row.event === "disconnectBot") queueMicrotask(closeUnlessHeard);
  };
  const closeUnlessHeard = (): void => {
    if (events.take("disconnectBot") === 0) return;
    transport.close().catch((error) => handshake.logger?.warn(`The call could not be ended: ${error}`));
  };

  const stops = [
    transport.on(
      "botStartedSpeaking",
      () => {
        void outbox.send("bot-started-speaking", undefined);
        outputs.speechStarted();
      },
      { tap: true },
    ),
    transport.on(
      "botStoppedSpeaking",
      () => {
        outputs.speechStopped();
        void outbox.send("bot-stopped-speaking", undefined);
      },
      { tap: true },
    ),
  ];
  handshake.receive = receive;
  for (const message of handshake.held.splice(0)) receive(message);
  const close = (): void => {
    for (const stop of stops) stop();
    handshake.receive = undefined;
    handshake.listeners.clear();
    events.close();
    outputs.close();
    outbox.close();
  };
  transport.closed.then(close, close);

  return {
    ready,
    get client() {
      return handshake.client;
    },
    on: (event, listener) => events.on(event, listener),
    sendServerMessage: (data) => outbox.send("server-message", data),
    botOutput: (text, outputOptions) => outputs.show(text, outputOptions),
    botSpeech: (text, speechOptions) => outputs.speak(text, speechOptions),
    userTranscription: ({ text, final, userId = "", timestamp = new Date().toISOString() }) =>
      outbox.send("user-transcription", { text, user_id: userId, timestamp, final }),
    userStartedSpeaking: () => outbox.send("user-started-speaking", undefined),
    userStoppedSpeaking: () => outbox.send("user-stopped-speaking", undefined),
    error: (error, { fatal = false } = {}) => outbox.send("error", { error, fatal }),
  };
}
