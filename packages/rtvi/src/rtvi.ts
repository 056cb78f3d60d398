import { type BotOutputOptions, type BotSpeechOptions, createBotOutputs, type SpokenSegment } from "./bot-output.ts";
import type { RTVIClient } from "./client.ts";
import type { FunctionCallAnswer, FunctionResult, RTVIEvents } from "./client-events.ts";
import { type Answers, clientMessages } from "./client-messages.ts";
import { createHeldEvents } from "./events.ts";
import { createFunctionCalls, type FunctionCallOptions } from "./function-calls.ts";
import { type Handshake, type HandshakeOptions, handshakeOf } from "./handshake.ts";
import { type ClientEnvelope, quote } from "./messages.ts";
import { createOutbox } from "./outbox.ts";
import { createSenders, type RTVISenders } from "./senders.ts";
import type { RTVITransport } from "./transport.ts";

/**
 * The bot's side of RTVI.
 *
 * Whatever is sent before the client is ready waits for it (the latest 100 messages) and follows `bot-ready` in order.
 * Every sender resolves when its message was sent or kept; awaiting one hangs no bot, and a rejection that nobody handles
 * harms nothing.
 */
export interface RTVI extends RTVISenders {
  /**
   * Resolves with the client once it said `client-ready`, and with undefined when the call ended without that. Never
   * rejects. A caller without RTVI, on a phone say, is never ready: do not await it before greeting.
   */
  readonly ready: Promise<RTVIClient | undefined>;
  /** The client, once it is ready. */
  readonly client: RTVIClient | undefined;
  /**
   * Listens to the client, and returns what stops that. What came before the first listener of its kind was held (50 of
   * each, one `uiSnapshot`) and is delivered in order before this returns. What a listener throws reaches the transport,
   * which ends the session.
   */
  on<E extends keyof RTVIEvents>(event: E, listener: (value: RTVIEvents[E]) => void): () => void;
  /** Shows text that is not spoken; behind speech that is not heard yet, it waits its turn. */
  botOutput(text: string, options?: BotOutputOptions): Promise<void>;
  /**
   * Shows text that is spoken, from when the bot is heard (the transport's `botStartedSpeaking`). Give it the `playback`
   * of its audio, or tell its progress by hand.
   */
  botSpeech(text: string, options?: BotSpeechOptions): SpokenSegment;
  /**
   * Calls a function of the client's, as `registerFunctionCallHandler` of client-js registers it, and resolves with what it
   * returned; the client is told of the call's beginning and end. Rejects, and may be ignored: FUNCTION_CALL_TIMED_OUT (a
   * client without such a function does not say so, and neither does one whose function throws or returns nothing),
   * FUNCTION_CALL_ABORTED, CALL_ENDED; with what the transport rejects with, and with a TypeError or RangeError when an
   * argument is not what it must be.
   */
  callFunction(
    name: string,
    args?: Readonly<Record<string, unknown>>,
    options?: FunctionCallOptions,
  ): Promise<FunctionResult>;
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
  const senders = createSenders(outbox);
  const outputs = createBotOutputs(outbox, handshake.logger);
  const calls = createFunctionCalls(senders, handshake);
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
    let refused = false;
    const refuse = (): void => {
      if (!refused) void answers.error(`The bot does not listen for ${type}`);
      refused = true;
    };
    for (const value of row.read(data ?? {}, answers)) {
      if (row.event === "llmFunctionCallResult" && settle(value as FunctionCallAnswer)) continue;
      events.emit(row.event, value as never, row.latestOnly ? { most: 1 } : { refuse });
    }
    if (row.event === "disconnectBot") queueMicrotask(closeUnlessHeard);
  };
  const settle = ({ callId, result }: FunctionCallAnswer): boolean => calls.settle(callId, result);
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
    transport.on("dtmf", (key) => events.emit("dtmf", key), { tap: true }),
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
    calls.close();
  };
  transport.closed.then(close, close);

  return {
    ...senders,
    ready,
    get client() {
      return handshake.client;
    },
    on: (event, listener) => events.on(event, listener),
    botOutput: (text, outputOptions) => outputs.show(text, outputOptions),
    botSpeech: (text, speechOptions) => outputs.speak(text, speechOptions),
    callFunction: (name, args, callOptions) => calls.call(name, args, callOptions),
  };
}
