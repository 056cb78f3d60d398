import type { RawAudioFrame } from "./client-events.ts";
import type { Outbox } from "./outbox.ts";
import { type FunctionCallDetails, type Reports, visibleDetails } from "./reports.ts";
import type { Metrics, SearchResponse, UICommands, UIJobGroup, UserInputData } from "./server-messages.ts";

/**
 * Sends the bot's messages. Each method is named after its message and its callback in client-js: `botLlmText` sends
 * `bot-llm-text`, which calls `onBotLlmText`. Clients act on few of these messages; applications may display the others.
 */
export interface RTVISenders {
  /** Sends any JSON value to the application: `onServerMessage`. */
  sendServerMessage(data: unknown): Promise<void>;
  /** Reports an error to the client. `fatal` makes it disconnect. */
  error(message: string, options?: { readonly fatal?: boolean | undefined }): Promise<void>;

  /** The bot's voice detection found that the caller started to speak. Ends the bot's bubble in the React kit. */
  userStartedSpeaking(): Promise<void>;
  userStoppedSpeaking(): Promise<void>;
  /** The bot ignores the caller for now. The client keeps sending audio. */
  userMuteStarted(): Promise<void>;
  userMuteStopped(): Promise<void>;
  /**
   * Shows the caller's speech as text: `user-input`, and `user-transcription` for older clients. The next transcription
   * replaces one that is not `final`.
   */
  userTranscription(transcription: UserTranscription): Promise<void>;
  /**
   * What the user said or typed, if it is not a transcription: for example a short "mhm" while the bot speaks. Typed text that
   * arrives with `sendText` is sent automatically.
   */
  userInput(input: UserInput): Promise<void>;
  /** The caller's text as the language model received it. */
  userLlmText(text: string): Promise<void>;

  /** The language model started to answer. */
  botLlmStarted(): Promise<void>;
  /** A piece of the language model's answer, usually a token. Kits do not show it; use `botOutput` to show text. */
  botLlmText(text: string): Promise<void>;
  botLlmStopped(): Promise<void>;
  /** A marker in the language model's answer that is not spoken. Sent only with the option `llmMarkers`, or to an eval that asks. */
  botLlmMarker(marker: LlmMarker): Promise<void>;
  /** Speech synthesis started. When the caller hears the bot, `bot-started-speaking` is sent automatically. */
  botTtsStarted(): Promise<void>;
  /** A piece of the synthesized text, usually a word. */
  botTtsText(text: string): Promise<void>;
  botTtsStopped(): Promise<void>;
  /** The bot's speech as text, sentence by sentence, for clients without `bot-output` (client-js before 1.5). */
  botTranscription(text: string): Promise<void>;
  /** The web search results of the language model. */
  botLlmSearchResponse(response: SearchResponse): Promise<void>;

  /** The language model called a function, for example one of the bot. Use `callFunction` to call a client function. */
  llmFunctionCallStarted(call?: { readonly name?: string | undefined }): Promise<void>;
  /** The function call is in progress. If the client has a function with this name, it runs it and sends `llmFunctionCallResult`. */
  llmFunctionCallInProgress(call: FunctionCallProgress): Promise<void>;
  llmFunctionCallStopped(call: FunctionCallEnd): Promise<void>;

  /** Reports the bot's speed and usage. */
  metrics(metrics: Metrics): Promise<void>;

  /** Sends a command to the application's user interface: `onUICommand`, and the handlers of client-react. */
  uiCommand<C extends string>(
    command: C,
    ...payload: C extends keyof UICommands ? [payload: UICommands[C]] : [payload?: unknown]
  ): Promise<void>;
  /** Reports background jobs: `onUIJobGroup`, and `useUIJobGroups` of client-react. */
  uiJobGroup(step: UIJobGroup): Promise<void>;

  /**
   * Voice activity started. It is not necessarily a turn of the caller. client-js 1.13 ignores this message and those below;
   * other clients may use them.
   */
  vadUserStartedSpeaking(): Promise<void>;
  vadUserStoppedSpeaking(): Promise<void>;
  /** The caller's volume, from 0 to 1. */
  userAudioLevel(level: number): Promise<void>;
  botAudioLevel(level: number): Promise<void>;
  systemLog(text: string): Promise<void>;
  /** Speech as a message. Prefer the transport, which sends audio more efficiently. */
  botTtsAudio(frame: RawAudioFrame): Promise<void>;
}

/** The caller's speech as text. */
export interface UserTranscription {
  readonly text: string;
  readonly final: boolean;
  /** Identifies the participant if several people share the call. Default "". */
  readonly userId?: string | undefined;
  /** ISO 8601. Default: now. */
  readonly timestamp?: string | undefined;
}

/** What the user said or typed. */
export interface UserInput {
  readonly text: string;
  /** `chat`: typed; `backchannel`: said while the bot speaks, without interrupting it. */
  readonly type: UserInputData["input_type"];
  /** Default true. */
  readonly final?: boolean | undefined;
  /** Identifies the participant if several people share the call. */
  readonly userId?: string | undefined;
  /** ISO 8601. Default: now. */
  readonly timestamp?: string | undefined;
  /** The id of the client's message, if it came in one. */
  readonly messageId?: string | undefined;
}

/** A marker in a language model's answer: text for the bot, not for the caller. */
export interface LlmMarker {
  /** The marker. Empty if the answer has none. */
  readonly marker: string;
  /** What the marker means. */
  readonly kind?: string | undefined;
  /** Everything that the model wrote, with the marker. */
  readonly raw: string;
  /** All markers that the bot recognizes. */
  readonly markers?: readonly string[] | undefined;
}

/** A function call in progress. Omit fields that the client must not see. */
export interface FunctionCallProgress {
  /** The language model's id of the function call. */
  readonly callId: string;
  readonly name?: string | undefined;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
}

/** A finished function call. Omit fields that the client must not see. */
export interface FunctionCallEnd {
  readonly callId: string;
  /** Whether the call was cancelled. Default false. */
  readonly cancelled?: boolean | undefined;
  readonly name?: string | undefined;
  readonly result?: unknown;
}

export function createSenders({ send }: Pick<Outbox, "send">, reports: Reports): RTVISenders {
  const userInput = (input: UserInput): Promise<void> => {
    const { text, type, final = true, userId, timestamp = new Date().toISOString(), messageId } = input;
    return send("user-input", { text, input_type: type, timestamp, final, user_id: userId, msg_id: messageId });
  };
  const report = (
    call: FunctionCallDetails,
    sendVisible: (details: FunctionCallDetails) => Promise<void>,
  ): Promise<void> => {
    const details = visibleDetails(reports, call);
    return details ? sendVisible(details) : Promise.resolve();
  };

  return {
    sendServerMessage: (data) => send("server-message", data),
    error: (error, { fatal = false } = {}) => send("error", { error, fatal }),

    userStartedSpeaking: () => send("user-started-speaking", undefined),
    userStoppedSpeaking: () => send("user-stopped-speaking", undefined),
    userMuteStarted: () => send("user-mute-started", undefined),
    userMuteStopped: () => send("user-mute-stopped", undefined),
    userInput,
    userTranscription({ text, final, userId = "", timestamp = new Date().toISOString() }) {
      const transcription = { text, user_id: userId, timestamp, final };
      void userInput({ text, type: "transcription", final, userId, timestamp });
      if (reports.rawTexts.stt) void send("stt-raw-text", transcription);
      return send("user-transcription", transcription);
    },
    userLlmText: (text) => send("user-llm-text", { text }),

    botLlmStarted: () => send("bot-llm-started", undefined),
    botLlmText(text) {
      if (reports.rawTexts.llm) void send("llm-raw-text", { text });
      return send("bot-llm-text", { text });
    },
    botLlmStopped: () => send("bot-llm-stopped", undefined),
    botLlmMarker({ marker, kind, raw, markers = [] }) {
      if (!reports.llmMarkers) return Promise.resolve();
      return send("bot-llm-marker", { text: marker, kind, raw, markers });
    },
    botTtsStarted: () => send("bot-tts-started", undefined),
    botTtsText(text) {
      if (reports.rawTexts.tts) void send("tts-raw-text", { text });
      return send("bot-tts-text", { text });
    },
    botTtsStopped: () => send("bot-tts-stopped", undefined),
    botTranscription: (text) => send("bot-transcription", { text }),
    botLlmSearchResponse: (response) => send("bot-llm-search-response", response),

    llmFunctionCallStarted: (call = {}) =>
      report(call, ({ name }) => send("llm-function-call-started", { function_name: name })),
    llmFunctionCallInProgress: ({ callId, ...call }) =>
      report(call, ({ name, args }) =>
        send("llm-function-call-in-progress", { tool_call_id: callId, function_name: name, arguments: args }),
      ),
    llmFunctionCallStopped: ({ callId, cancelled = false, ...call }) =>
      report(call, ({ name, result }) =>
        send("llm-function-call-stopped", { tool_call_id: callId, cancelled, function_name: name, result }),
      ),

    metrics: (metrics) => send("metrics", metrics),

    uiCommand: (command, payload?: unknown) => send("ui-command", { command, payload }),
    uiJobGroup: (step) => send("ui-job-group", { at: Date.now(), ...step }),

    vadUserStartedSpeaking: () => send("vad-user-started-speaking", undefined),
    vadUserStoppedSpeaking: () => send("vad-user-stopped-speaking", undefined),
    userAudioLevel: (value) => send("user-audio-level", { value }),
    botAudioLevel: (value) => send("bot-audio-level", { value }),
    systemLog: (text) => send("system-log", { text }),
    botTtsAudio: ({ samples, sampleRate, channels }) =>
      send("bot-tts-audio", { audio: base64Of(samples), sample_rate: sampleRate, num_channels: channels }),
  };
}

/** Encodes samples as 16-bit little-endian on every machine. */
function base64Of(samples: Int16Array): string {
  const bytes = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => void bytes.writeInt16LE(sample, index * 2));
  return bytes.toString("base64");
}
