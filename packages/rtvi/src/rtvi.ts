import { type BotOutputOptions, type BotSpeechOptions, createBotOutputs, type SpokenSegment } from "./bot-output.ts";
import type { FunctionCallResult, FunctionResult, RTVIEvents, SentText } from "./client-events.ts";
import { clientMessages } from "./client-messages.ts";
import { configureReports, evalContext, unwrapEval } from "./evals.ts";
import { callAll, createHeldEvents } from "./events.ts";
import { createFunctionCalls, type FunctionCallOptions } from "./function-calls.ts";
import { type Handshake, type HandshakeOptions, handshakeOf } from "./handshake.ts";
import type { Answers } from "./message-row.ts";
import { estimateBytes, maxHeldBytes, quote, type ReceivedMessage } from "./messages.ts";
import { createOutbox } from "./outbox.ts";
import type { RTVIClient } from "./protocols.ts";
import { createReports, type ReportOptions } from "./reports.ts";
import { createSenders, type RTVISenders } from "./senders.ts";
import { createSpeechTexts } from "./speech-texts.ts";
import type { RTVITransport } from "./transport.ts";

/** What a bot offers its clients. */
export interface RTVIOptions extends HandshakeOptions, ReportOptions {
  /** Whether the bot reports `metrics`, for the capabilities in `bot-ready`. Default: unknown until it does so. */
  readonly metrics?: boolean | undefined;
  /**
   * Lets Pipecat's eval harness set the context (`evalContext`), raise the function-call report level and receive LLM markers.
   * Every client can send what the harness sends: enable it for tests only. Default false, which leaves these messages to
   * `clientMessage`.
   */
  readonly evals?: boolean | undefined;
}

/**
 * The bot's side of RTVI.
 *
 * Messages sent before the client is ready are held (the latest 100) and follow `bot-ready` in order. Every method that
 * sends resolves when the message was sent or held, so awaiting it never blocks the bot. Its rejection may be ignored.
 */
export interface RTVI extends RTVISenders {
  /**
   * Resolves with the client when it sends `client-ready`, or with undefined when the call ends without it. Never rejects.
   * Callers without RTVI, such as phones, never become ready: do not await this before greeting.
   */
  readonly ready: Promise<RTVIClient | undefined>;
  /** The client. Undefined until it is ready. */
  readonly client: RTVIClient | undefined;
  /**
   * Registers a listener for client events and returns a function that removes it. Messages that arrived before the first
   * listener were held (the latest 50 of each kind, at most 2 MiB; one `uiSnapshot`), and are validated and delivered in order
   * before this method returns. An exception in a listener, or the rejection of an async one, reaches the transport, which ends
   * the session.
   */
  on<E extends keyof RTVIEvents>(event: E, listener: (value: RTVIEvents[E]) => void): () => void;
  /** Shows text that is not spoken. It is sent after the text of earlier speech. */
  botOutput(text: string, options?: BotOutputOptions): Promise<void>;
  /**
   * Shows text that is spoken, starting when the caller hears the bot (the transport's `botStartedSpeaking`). Pass the
   * `playback` of its audio, or report its progress on the returned segment.
   */
  botSpeech(text: string, options?: BotSpeechOptions): SpokenSegment;
  /**
   * Calls a client function that was registered with `registerFunctionCallHandler` of client-js, and resolves with its
   * return value. The client is notified when the call starts and ends. Rejects with `FUNCTION_CALL_TIMED_OUT` (also if the
   * function does not exist, throws or returns nothing: clients do not report that), `FUNCTION_CALL_ABORTED`, `CALL_ENDED`,
   * the transport's error, or a TypeError or RangeError for an invalid argument. The rejection may be ignored.
   */
  callFunction(
    name: string,
    args?: Readonly<Record<string, unknown>>,
    options?: FunctionCallOptions,
  ): Promise<FunctionResult>;
}

/**
 * Creates the bot's side of RTVI for a transport. A second call for the same transport returns the same object. If the host
 * has not called `answerHandshake`, this function does, with `logger`; otherwise that has no effect.
 *
 * From then on, unknown message types, and invalid data of messages that have a listener, are answered with an
 * `error-response`. Messages that arrived earlier were held (the latest 50, at most 2 MiB). The bot's `appMessage` listeners still receive all messages.
 *
 * `bot-started-speaking`, `bot-stopped-speaking`, `bot-interrupted`, the text of `transport.speak()` as the caller hears it, and
 * `user-input` for the user's typed texts are sent automatically: call this function before the bot speaks.
 */
export function createRTVI(transport: RTVITransport, options: RTVIOptions = {}): RTVI {
  const handshake = handshakeOf(transport, options);
  handshake.rtvi ??= startRTVI(transport, handshake, options);
  return handshake.rtvi as RTVI;
}

function startRTVI(transport: RTVITransport, handshake: Handshake, options: RTVIOptions): RTVI {
  const outbox = createOutbox(transport, handshake);
  const reports = createReports(options);
  const senders = createSenders(outbox, reports);
  const outputs = createBotOutputs(outbox, handshake.logger);
  const calls = createFunctionCalls(createSenders(outbox, createReports({})), handshake);
  handshake.metrics = options.metrics;
  const events = createHeldEvents<RTVIEvents>(handshake.logger);

  const ready = new Promise<RTVIClient | undefined>((resolve) => {
    if (handshake.client) resolve(handshake.client);
    handshake.listeners.add(resolve);
    const end = () => resolve(undefined);
    transport.closed.then(end, end);
  });

  const receive = (received: ReceivedMessage): unknown => {
    const { type, id, data, sender } = options.evals ? unwrapEval(received) : received;
    const answers: Answers = {
      id,
      error: (error) => outbox.send("error-response", { error }, id),
      respond: (t, d) => outbox.send("server-response", d === undefined ? { t } : { t, d }, id),
    };
    if (options.evals && type === "eval-configure") {
      const problem = configureReports(reports, data ?? {});
      if (problem !== undefined) void answers.error(`Invalid message: ${problem}`);
      return undefined;
    }
    const row = options.evals && type === "eval-context" ? evalContext : clientMessages.get(type);
    if (row === undefined) return void answers.error(`Unsupported type ${quote(type)}`);
    const deliver = (): unknown => {
      const problem = row.problem(data ?? {});
      if (problem !== undefined) return void answers.error(`Invalid message: ${problem}`);
      return callAll(row.read(data ?? {}, answers), (value) => {
        if (row.event === "llmFunctionCallResult" && settle(value as FunctionCallResult)) return undefined;
        if (row.event === "sendText") {
          const { content: text } = value as SentText;
          void senders.userInput({ text, type: "chat", userId: sender, messageId: id });
        }
        const emit = () => events.emit(row.event, value as never);
        return events.has(row.event) ? emit() : hold(emit);
      });
    };
    const refuse = (): void => void answers.error(`The bot does not handle ${type}`);
    const hold = (deliverLater: () => unknown): Promise<unknown> =>
      events.hold(row.event, deliverLater, {
        bytes: estimateBytes(data, maxHeldBytes),
        ...(row.latestOnly ? { most: 1 } : { refuse }),
      });
    // A message that nobody listens to costs nothing but its memory.
    if (events.has(row.event) || (row.event === "llmFunctionCallResult" && calls.pending)) return deliver();
    if (row.event === "disconnectBot") queueMicrotask(closeIfUnhandled);
    return hold(deliver);
  };
  const settle = ({ callId, result }: FunctionCallResult): boolean => calls.settle(callId, result);
  const closeIfUnhandled = (): void => {
    if (events.take("disconnectBot") === 0) return;
    transport.close().catch((err) => handshake.logger?.warn({ err }, "transport not closed"));
  };

  const removeListeners = [
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
    transport.on("botInterrupted", () => void outbox.send("bot-interrupted", undefined), { tap: true }),
    transport.on("botSpeechProgress", createSpeechTexts(outputs, senders), { tap: true }),
    transport.on("dtmf", (key) => events.emit("dtmf", key), { tap: true }),
  ];
  handshake.handled = () => [...clientMessages].flatMap(([type, { event }]) => (events.has(event) ? type : []));
  handshake.receive = receive;
  for (const { delivered, ...message } of handshake.held.splice(0)) delivered(receive(message));
  const close = (): void => {
    for (const remove of removeListeners) remove();
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
    metrics(metrics) {
      handshake.metrics = true;
      return senders.metrics(metrics);
    },
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
