import type { Metrics } from "./metrics.ts";
import type { Outbox } from "./outbox.ts";
import type { RawAudioFrame } from "./raw-audio.ts";
import type { SearchResponse } from "./server-messages.ts";
import type { UICommands, UIJobGroup } from "./ui-commands.ts";

/**
 * What the bot tells its client: each method has the name of its message, `botLlmText` that of `bot-llm-text`, and of its
 * callback in client-js, `onBotLlmText`. The client acts on few of them; most of them an application may show.
 */
export interface RTVISenders {
  /** Sends anything that JSON can carry to the application: `onServerMessage`. */
  sendServerMessage(data: unknown): Promise<void>;
  /** Tells the client of an error. `fatal` makes it disconnect. */
  error(message: string, options?: { readonly fatal?: boolean }): Promise<void>;

  /** The caller began to speak, by the bot's voice detection. Ends the bot's bubble in the React kit. */
  userStartedSpeaking(): Promise<void>;
  userStoppedSpeaking(): Promise<void>;
  /** The bot does not listen to the caller now. The client goes on sending. */
  userMuteStarted(): Promise<void>;
  userMuteStopped(): Promise<void>;
  /** Shows what the caller said. Not `final`: what was heard so far, replaced by the next. */
  userTranscription(transcription: UserTranscription): Promise<void>;
  /** What the language model was given of the caller. */
  userLlmText(text: string): Promise<void>;

  /** The language model begins to answer. */
  botLlmStarted(): Promise<void>;
  /** A piece of its answer as it comes, usually a token. Shown by no kit: what is to be shown, send by `botOutput`. */
  botLlmText(text: string): Promise<void>;
  botLlmStopped(): Promise<void>;
  /** Speech is being made from text. Of what the caller hears, `bot-started-speaking` tells by itself. */
  botTtsStarted(): Promise<void>;
  /** A piece of the text spoken, usually a word. */
  botTtsText(text: string): Promise<void>;
  botTtsStopped(): Promise<void>;
  /** What the bot says, sentence by sentence, to clients that know no `bot-output`: client-js before 1.5. */
  botTranscription(text: string): Promise<void>;
  /** What the language model found on the web. */
  botLlmSearchResponse(response: SearchResponse): Promise<void>;

  /** The language model wants a function called, be it the bot's own. A client's function is called by `callFunction`. */
  llmFunctionCallStarted(call?: { readonly name?: string }): Promise<void>;
  /** The call is under way. The client calls its function of this name, if it has one: then `llmFunctionCallResult` comes. */
  llmFunctionCallInProgress(call: FunctionCallProgress): Promise<void>;
  llmFunctionCallStopped(call: FunctionCallEnd): Promise<void>;

  /** Tells how fast the bot is and what it uses. */
  metrics(metrics: Metrics): Promise<void>;

  /** Has the application do something to its user interface: `onUICommand`, and the handlers of client-react. */
  uiCommand<C extends string>(
    command: C,
    ...payload: C extends keyof UICommands ? [payload: UICommands[C]] : [payload?: unknown]
  ): Promise<void>;
  /** Tells of jobs that run in the background: `onUIJobGroup`, and `useUIJobGroups` of client-react. */
  uiJobGroup(step: UIJobGroup): Promise<void>;

  /** The bot was interrupted. Like all from here on, it is ignored by client-js 1.13 and there for other clients. */
  botInterrupted(): Promise<void>;
  /** The caller's voice set in, which need not be a turn of theirs. */
  vadUserStartedSpeaking(): Promise<void>;
  vadUserStoppedSpeaking(): Promise<void>;
  /** How loud the caller is, from 0 to 1. */
  userAudioLevel(level: number): Promise<void>;
  botAudioLevel(level: number): Promise<void>;
  systemLog(text: string): Promise<void>;
  /** Speech as a message, which the transport carries better. */
  botTtsAudio(frame: RawAudioFrame): Promise<void>;
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

/** A function call under way. Leave out what the client must not know. */
export interface FunctionCallProgress {
  /** The language model's id of the call. */
  readonly callId: string;
  readonly name?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** A function call that is over. Leave out what the client must not know. */
export interface FunctionCallEnd {
  readonly callId: string;
  /** Whether it was given up. Default false. */
  readonly cancelled?: boolean;
  readonly name?: string;
  readonly result?: unknown;
}

export function createSenders({ send }: Pick<Outbox, "send">): RTVISenders {
  return {
    sendServerMessage: (data) => send("server-message", data),
    error: (error, { fatal = false } = {}) => send("error", { error, fatal }),

    userStartedSpeaking: () => send("user-started-speaking", undefined),
    userStoppedSpeaking: () => send("user-stopped-speaking", undefined),
    userMuteStarted: () => send("user-mute-started", undefined),
    userMuteStopped: () => send("user-mute-stopped", undefined),
    userTranscription: ({ text, final, userId = "", timestamp = new Date().toISOString() }) =>
      send("user-transcription", { text, user_id: userId, timestamp, final }),
    userLlmText: (text) => send("user-llm-text", { text }),

    botLlmStarted: () => send("bot-llm-started", undefined),
    botLlmText: (text) => send("bot-llm-text", { text }),
    botLlmStopped: () => send("bot-llm-stopped", undefined),
    botTtsStarted: () => send("bot-tts-started", undefined),
    botTtsText: (text) => send("bot-tts-text", { text }),
    botTtsStopped: () => send("bot-tts-stopped", undefined),
    botTranscription: (text) => send("bot-transcription", { text }),
    botLlmSearchResponse: (response) => send("bot-llm-search-response", response),

    llmFunctionCallStarted: ({ name } = {}) => send("llm-function-call-started", { function_name: name }),
    llmFunctionCallInProgress: ({ callId, name, args }) =>
      send("llm-function-call-in-progress", { tool_call_id: callId, function_name: name, arguments: args }),
    llmFunctionCallStopped: ({ callId, cancelled = false, name, result }) =>
      send("llm-function-call-stopped", { tool_call_id: callId, cancelled, function_name: name, result }),

    metrics: (metrics) => send("metrics", metrics),

    uiCommand: (command, payload?: unknown) => send("ui-command", { command, payload }),
    uiJobGroup: (step) => send("ui-job-group", { at: Date.now(), ...step }),

    botInterrupted: () => send("bot-interrupted", undefined),
    vadUserStartedSpeaking: () => send("vad-user-started-speaking", undefined),
    vadUserStoppedSpeaking: () => send("vad-user-stopped-speaking", undefined),
    userAudioLevel: (value) => send("user-audio-level", { value }),
    botAudioLevel: (value) => send("bot-audio-level", { value }),
    systemLog: (text) => send("system-log", { text }),
    botTtsAudio: ({ samples, sampleRate, channels }) =>
      send("bot-tts-audio", { audio: base64Of(samples), sample_rate: sampleRate, num_channels: channels }),
  };
}

/** 16-bit little-endian samples, whatever order this machine has. */
function base64Of(samples: Int16Array): string {
  const bytes = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => void bytes.writeInt16LE(sample, index * 2));
  return bytes.toString("base64");
}
