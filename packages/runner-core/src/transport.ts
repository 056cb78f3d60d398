import type { AudioFrame } from "@pipecat-ts/audio";

/** The params that all transports have. The params of each transport extend them. */
export interface TransportParams {
  /** Receive the caller's audio. Default true. When false, `input` closes at once. */
  readonly audioInEnabled?: boolean | undefined;
  /** Send audio to the caller. Default true. When false, audio is discarded. */
  readonly audioOutEnabled?: boolean | undefined;
  /** Sample rate of `input` in Hz: a multiple of 50 from 8,000 to 192,000. Default 16,000. */
  readonly audioInSampleRate?: number | undefined;
}

/** Why a session or its transport ended. */
export type CloseReason =
  | "caller-left" // the caller hung up, closed the page, or lost the network
  | "bot-finished" // the bot returned, or closed the transport
  | "bot-failed" // the bot, or one of its listeners, threw
  | "time-limit" // the call reached its maximum duration
  | "bot-stuck" // the bot still ran 5 s after its signal was aborted
  | "abandoned" // started, but no caller connected within 120 s
  | "evicted" // started, and displaced by newer starts before a caller connected
  | "busy" // an outbound call: the number was busy
  | "no-answer" // an outbound call: nobody answered
  | "failed" // an outbound call: the carrier could not connect it
  | "machine" // an outbound call: an answering machine answered
  | "transport-failed" // the transport could not continue
  | "rate-exceeded" // the caller sent far more messages than a client does
  | "ended-by-request" // a request to the runner ended the session
  | "crashed" // the process of the session ended; only with process isolation
  | "shutdown"; // the runner stopped

/** Whether a session that ended with this reason was ended by a fault: of its bot, its transport or its process. */
export function isFault(reason: string): boolean {
  return /^(?:bot-failed|bot-stuck|transport-failed|crashed)$/.test(reason);
}

/** The events of a transport: event name to listener arguments. Transports with further events extend it. */
export interface TransportEvents {
  /** The caller is connected: audio flows in both directions. */
  clientConnected: [];
  /** The caller is gone. */
  clientDisconnected: [reason: CloseReason];
  /**
   * A message from the caller's application (RTVI and others): parsed JSON. `sender` is set if several participants share the
   * call.
   */
  appMessage: [message: unknown, sender?: string];
  /** A key that the caller pressed on a phone: one of `0-9 * # A-D`. */
  dtmf: [digit: string];
  /** The first audio of an utterance is sent to the caller. */
  botStartedSpeaking: [];
  /** The utterance was played to its end, or interrupted. */
  botStoppedSpeaking: [];
  /**
   * `interrupt()` was called. An utterance that it cuts off also ends with `botStoppedSpeaking`, after this event. What a listener
   * plays or says is not interrupted.
   */
  botInterrupted: [];
  /** The caller has heard more of the text of a speech, or the speech has ended. Speeches without text send none. */
  botSpeechProgress: [progress: SpeechProgress];
  /** Something failed without ending the call. */
  error: [error: Error];
}

/** Options of `Transport.on`. */
export interface ListenOptions {
  /**
   * Listen without consuming: the listener gets every event, buffered ones included, and buffered events stay buffered for the
   * first listener without `tap`. For layers between the transport and the bot.
   */
  readonly tap?: boolean | undefined;
}

/** What a bot receives and sends in one call, in addition to messages. */
export interface TransportCapabilities {
  /** The bot receives the caller's audio. */
  readonly audioIn: boolean;
  /** The bot's audio is sent to the caller. If false, audio is discarded, and a bot need not synthesize speech. */
  readonly audioOut: boolean;
  /** The bot receives the caller's camera. */
  readonly videoIn: boolean;
  /** The bot receives the caller's screen. */
  readonly screenIn: boolean;
  /** The bot sends video to the caller. */
  readonly videoOut: boolean;
}

/** A source of the caller's video. */
export type VideoSource = "camera" | "screen";

/** A picture from the caller's video. */
export interface Snapshot {
  readonly source: VideoSource;
  /** A complete image file. */
  readonly data: Uint8Array;
  /** Its format. A caller's own video gives WebP files. */
  readonly type: "image/webp" | "image/png" | "image/jpeg";
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** When it arrived, in ms since 1970. */
  readonly atMs: number;
}

/** The caller's camera and screen, as pictures for a vision model. */
export interface CallerVideo {
  /**
   * Takes a picture. Snapshots of one source at the same time share it. Rejects with VIDEO_SOURCE_MISSING, VIDEO_OFF,
   * VIDEO_TIMED_OUT after `timeoutMs` (default 2,000, at most 60,000), or CALL_ENDED.
   */
  snapshot(options: { readonly source: VideoSource; readonly timeoutMs?: number | undefined }): Promise<Snapshot>;
  /**
   * Takes a picture every `every` ms (default 1,000, at least 200) while the loop asks for them: none are queued for a slow
   * loop. Waits while the source is off, and ends with the call. Throws VIDEO_SOURCE_MISSING.
   */
  frames(options: { readonly source: VideoSource; readonly every?: number | undefined }): AsyncIterable<Snapshot>;
}

/**
 * How a bot listens and speaks. Identical on every transport.
 *
 * Up to 50 events of each name, and messages of about 1 MiB together, are buffered until the first listener for that name is
 * registered.
 */
export interface Transport<Events extends TransportEvents = TransportEvents> {
  /** The name of the transport, as in `args.transport`. */
  readonly name: string;
  /** What the bot receives and sends in this call: the params and the `MediaPort` decide. RTVI reports it to clients. */
  readonly capabilities: TransportCapabilities;
  /** The caller's camera and screen. `undefined` if the transport or the bot's params do not receive video. */
  readonly video?: CallerVideo;
  /**
   * The caller's audio: mono PCM16 frames of 20 ms at `audioInSampleRate`. Closes when the caller leaves. Buffers 500 ms, then
   * drops the oldest frames and counts them.
   */
  readonly input: ReadableStream<AudioFrame>;
  /** Another reader of the caller's audio with its own bounded queue, for a recorder or a voice detector. Cancel it when done. */
  listen(): ReadableStream<AudioFrame>;
  /**
   * Another reader of the bot's audio as it is sent to the caller, for a recorder or an echo canceler: mono frames at a rate of
   * the wire, of its frame duration, and none while the bot is silent. Bounded like `listen()`. Cancel it when done.
   */
  listenOutput(): ReadableStream<AudioFrame>;
  /**
   * The bot's audio: frames of any rate, played in real time. `write()` resolves with backpressure. After the caller left, writes
   * are discarded and close resolves; neither fails.
   */
  readonly output: WritableStream<AudioFrame>;
  /** Plays one utterance. Utterances queue behind each other and never end the call. */
  play(audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>): Playback;
  /**
   * Starts an utterance that grows while it is played: audio and text as a language model or a speech service delivers them.
   * It takes its turn behind everything enqueued before, and what is enqueued later waits until you call `end` or `cancel`.
   */
  speak(): Speech;
  /**
   * Stops playout now (barge-in): settles pending writes, cancels the sources of `play`, interrupts every speech, and empties
   * every queue, also at the far end. Audio written before is not played after it; audio written or played after it is. A
   * speech that was interrupted drops what is still written to it.
   *
   * Frames that a pipe into `output` delivers without a pause right after an interruption count as old, because a pipe hides
   * when they were written. To be sure of being heard, answer an interruption with `play` or with a writer.
   */
  interrupt(): Interruption;
  /**
   * Sends a message to the caller's application, as JSON. Rejects with MESSAGE_TOO_LARGE or MESSAGES_UNSUPPORTED. An unhandled
   * rejection is harmless.
   */
  sendMessage(message: unknown): Promise<void>;
  /** Registers a listener and returns a function that removes it. An exception in a listener ends this session only. */
  on<E extends keyof Events & string>(
    event: E,
    listener: (...args: Events[E] extends unknown[] ? Events[E] : never) => void,
    options?: ListenOptions,
  ): () => void;
  /** Counters of the call, for metrics. */
  readonly counters?: CallCounters;
  /** Resolves, and never rejects, when the call is over and everything is released. */
  readonly closed: Promise<CloseReason>;
  /**
   * Plays what is queued, hangs up and releases everything. Works while `output` is locked; later calls have no effect. With a
   * reason other than `bot-finished`, the default, queued audio is dropped.
   */
  close(reason?: CloseReason): Promise<void>;
}

/** Frames that one call has dropped so far. */
export interface CallCounters {
  /** Frames of the caller's audio that were not read in time. */
  readonly inputDropped: number;
  /** Frames of the bot's audio that the wire did not take. */
  readonly outputDropped: number;
}

/** One utterance in playout. */
export interface Playback {
  /** Milliseconds that the caller has heard: as the far end confirms, or by the send clock if it confirms nothing. */
  readonly playedMs: number;
  /** Resolves when it was played to its end or interrupted. Rejects with the error of its source; an unhandled rejection is harmless. */
  readonly done: Promise<{ readonly playedMs: number; readonly interrupted: boolean }>;
}

/** An utterance that grows while it is played. `Transport.speak` starts it. Its methods never throw and never reject. */
export interface Speech extends Playback {
  /** 1 for the first speech of a call. */
  readonly id: number;
  /**
   * Adds audio. Resolves when no more than 200 ms of audio wait to be played, so a source that can pause awaits it; other
   * sources need not. Audio after an interruption is dropped, and so is audio after `end` or `cancel`: see `droppedMs`.
   */
  write(frame: AudioFrame): Promise<void>;
  /**
   * Adds mono audio as signed 16-bit little-endian PCM at `sampleRate` Hz. The pieces of a stream may end anywhere, also in the
   * middle of a sample.
   */
  write(pcm: Uint8Array, sampleRate: number): Promise<void>;
  /**
   * Adds text that is spoken. Without `atMs`, the position of the text in the audio is estimated: from its share of the
   * audio, and at 17 characters per second at most while either can still grow. Text after an interruption is dropped.
   */
  text(delta: string, options?: SpeechTextOptions): void;
  /** No more audio follows. Resolves like `done`. Text may follow until then. */
  end(): Promise<SpeechEnd>;
  /**
   * Drops what the caller has not heard of this speech. Other utterances are played. If the next one already follows, up to
   * 200 ms of this one are played before it.
   */
  cancel(): void;
  /** Milliseconds of audio written so far. A sentence whose audio follows starts at this position. */
  readonly writtenMs: number;
  /** Milliseconds of written audio that the caller does not hear because of an interruption, `cancel`, or a write after `end`. */
  readonly droppedMs: number;
  /** The text that the caller has heard, in whole words. */
  readonly heardText: string;
  /** Aborts when the speech is interrupted or cancelled. Pass it to the requests that produce the speech. */
  readonly signal: AbortSignal;
  /** Resolves when the speech was played to its end, interrupted or cancelled. Never rejects. */
  readonly done: Promise<SpeechEnd>;
}

/** When a text of a speech is spoken. */
export interface SpeechTextOptions {
  /** Where in the audio of this speech the text starts, in ms: a speech service's timestamp, or `writtenMs` before its audio. */
  readonly atMs?: number | undefined;
}

/** What the caller heard of a speech. */
export interface SpeechEnd {
  /** Milliseconds of audio, for example for `audio_end_ms` of OpenAI's `conversation.item.truncate`, rounded down. */
  readonly playedMs: number;
  /** Whether it was interrupted or cancelled. */
  readonly interrupted: boolean;
  /** The text, in whole words: what belongs into the conversation's history. */
  readonly heardText: string;
}

/** How much of a speech's text the caller has heard so far. */
export interface SpeechProgress {
  /** The id of the speech. */
  readonly id: number;
  /** Its text so far. */
  readonly text: string;
  /** The beginning of `text` that the caller has heard, in whole words. */
  readonly heardText: string;
  /** Whether this is the last report of this speech. */
  readonly ended: boolean;
}

/** The result of an interruption. */
export interface Interruption {
  /** Milliseconds of the current utterance that the caller has heard. */
  readonly playedMs: number;
  /** Milliseconds of audio that were dropped. */
  readonly droppedMs: number;
}
