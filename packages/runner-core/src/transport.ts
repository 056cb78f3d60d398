import type { AudioFrame } from "@pipecat-ts/audio";

/** What a bot may choose about any transport. Each transport's own params extend it. */
export interface TransportParams {
  /** Hear the caller. Default true. When false, `input` closes at once. */
  readonly audioInEnabled?: boolean;
  /** Be heard by the caller. Default true. When false, what is written is discarded. */
  readonly audioOutEnabled?: boolean;
  /** Rate in Hz of the frames that `input` gives: a multiple of 50 from 8,000 to 192,000. Default 16,000. */
  readonly audioInSampleRate?: number;
}

/** Why a session or its transport ended. */
export type CloseReason =
  | "caller-left" // the caller hung up, closed the page, or lost the network
  | "bot-finished" // the bot returned, or closed the transport
  | "bot-failed" // the bot threw
  | "bot-stuck" // the bot ran on 5 s after its signal was aborted
  | "abandoned" // started, but nobody connected in time
  | "evicted" // started, and pushed out by newer starts before anybody connected
  | "transport-failed" // the transport could not go on
  | "ended-by-request" // somebody ended the session through the runner
  | "shutdown"; // the runner stopped

/** What a transport tells its bot, as event name to listener arguments. Transports with more to tell extend it. */
export interface TransportEvents {
  /** The caller can hear and be heard. */
  clientConnected: [];
  /** The caller is gone. */
  clientDisconnected: [reason: CloseReason];
  /** A message from the caller's application (RTVI and others): parsed JSON. `sender` where several people share the call. */
  appMessage: [message: unknown, sender?: string];
  /** A key pressed on a phone: one of `0-9 * # A-D`. */
  dtmf: [digit: string];
  /** The first audio of a stretch of speech reaches the caller. */
  botStartedSpeaking: [];
  /** The stretch was played to its end, or interrupted. */
  botStoppedSpeaking: [];
  /** Something failed that did not end the call. */
  error: [error: Error];
}

/** How a listener is registered. */
export interface ListenOptions {
  /**
   * Overhear: be called for every event, the held ones included, without counting as the first listener: what is held
   * stays held for the bot. For layers between the transport and the bot.
   */
  readonly tap?: boolean;
}

/**
 * What the bot hears and speaks through: the same on every transport.
 *
 * Events that happen before the first listener for them is registered are held (up to 50) and delivered to it in order.
 */
export interface Transport<Events extends TransportEvents = TransportEvents> {
  /** The transport's name, as in `args.transport`. */
  readonly name: string;
  /**
   * The caller's voice: mono PCM16 frames of 20 ms at `audioInSampleRate`. Closes when the caller leaves. Holds 500 ms
   * unread, then drops the oldest, counts them, and warns once.
   */
  readonly input: ReadableStream<AudioFrame>;
  /** A further reader of the caller's voice with its own bounded queue, for a recorder or a voice detector. Cancel it when done. */
  listen(): ReadableStream<AudioFrame>;
  /**
   * The bot's voice: frames of any rate, played in real time. `write()` resolves by backpressure. After the caller left,
   * writes are discarded and close resolves: neither errors.
   */
  readonly output: WritableStream<AudioFrame>;
  /** Plays one stretch of speech. Stretches queue behind each other and never close the call. */
  play(audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>): Playback;
  /**
   * Stops speaking now (barge-in): settles every pending write, cancels what `play` reads, empties every queue, the far
   * end's included. Nothing written before it is heard after it; what is written or played after it is.
   *
   * A pipe into `output` hides when the frames in it were written, so what it delivers without a pause right after an
   * interruption counts as old. To be sure of being heard, answer an interruption by `play` or by a writer of your own.
   */
  interrupt(): Interruption;
  /**
   * Sends a message to the caller's application, as JSON. Rejects with MESSAGE_TOO_LARGE or MESSAGES_UNSUPPORTED; a
   * rejection that nobody handles harms nothing.
   */
  sendMessage(message: unknown): Promise<void>;
  /** Registers a listener and returns what removes it. A listener that throws ends its own session only. */
  on<E extends keyof Events & string>(
    event: E,
    listener: (...args: Events[E] extends unknown[] ? Events[E] : never) => void,
    options?: ListenOptions,
  ): () => void;
  /** For the runner's metrics; undefined where the transport does not count. */
  readonly counters?: CallCounters;
  /** Resolves, never rejects, once the call is over and everything it held is released. */
  readonly closed: Promise<CloseReason>;
  /**
   * Plays out what is queued, hangs up, releases everything. Works while `output` is locked; twice is once. With a reason
   * other than `bot-finished`, the default, nothing more is played.
   */
  close(reason?: CloseReason): Promise<void>;
}

/** What one call has lost so far, in frames of its transport. */
export interface CallCounters {
  /** Of the caller's voice: nobody read them in time. */
  readonly inputDropped: number;
  /** Of the bot's voice: the wire did not take them. */
  readonly outputDropped: number;
}

/** One stretch of speech under way. */
export interface Playback {
  /** Milliseconds of it that the caller has heard: by the far end's acknowledgement where it has one, else by the send clock. */
  readonly playedMs: number;
  /** Resolves when it was heard to its end or interrupted; rejects, and may be ignored, with what its source threw. */
  readonly done: Promise<{ readonly playedMs: number; readonly interrupted: boolean }>;
}

/** What an interruption cut off. */
export interface Interruption {
  /** Milliseconds of the stretch under way that the caller has heard. */
  readonly playedMs: number;
  /** Milliseconds that were written and will not be heard. */
  readonly droppedMs: number;
}
