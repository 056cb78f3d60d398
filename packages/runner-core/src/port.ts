import type { AudioFrame } from "@pipecat-ts/audio";
import type { Clock } from "./clock.ts";
import type { CloseReason, Transport, TransportCapabilities } from "./transport.ts";

/**
 * How a transport puts one call on the wire: one audio frame, one message, one clear. The runner builds everything else
 * around it: resampling, pacing, playout queue, interruption, events.
 *
 * An exception in a method is logged once and reported to the bot as an `error` event. The call continues.
 */
export interface MediaPort {
  /**
   * Sample rates in Hz that the wire takes, the preferred one first. Audio at one of them is sent unchanged; audio at any
   * other rate is resampled to the first. Always mono.
   */
  readonly sampleRates: readonly [number, ...number[]];
  /** Duration of the audio in one `send`, in ms: 20, or 40 where each frame is expensive. */
  readonly frameMs: number;
  /** How far ahead of real time audio may be sent, in ms, when the far end buffers and can clear. Default 0. */
  readonly sendAheadMs?: number;
  /** Whether the wire needs silence while the bot says nothing: a frame every `frameMs` from the start. Default false. */
  readonly continuous?: boolean;
  /** What the wire carries for this caller. Default: audio in both directions, and no video. The bot's params may disable audio too. */
  readonly capabilities?: Partial<TransportCapabilities>;
  /** Sends one frame now: mono, at one of `sampleRates`, exactly `frameMs` long. The last frame of an utterance is padded with silence. */
  send(frame: AudioFrame): void;
  /** Makes the far end drop audio that it has not played. */
  clear?(): void;
  /** Asks the far end to report, through `Call.played(mark)`, when it has played everything sent before. Without it, the send clock counts. */
  mark?(mark: string): void;
  /**
   * Longest audio between two marks, in ms. Set it when a mark costs as much as a frame. The first frame and the end of an
   * utterance are always marked. Default: every frame is marked.
   */
  readonly markEveryMs?: number;
  /** Sends one message to the caller's application. Without it, `sendMessage` rejects with MESSAGES_UNSUPPORTED. */
  sendMessage?(message: unknown): Promise<void>;
  /**
   * Bytes in the send buffer of the wire. Above 1 MiB, audio is dropped and counted. `Infinity` while the caller is away and may
   * return.
   */
  bufferedBytes?(): number;
  /**
   * Adds methods to the transport that the bot gets (`hangUp`, `transferTo`). Declare their types in `TransportsByTransport`.
   * Called once, when the transport is built.
   */
  extend?(media: PortMedia): Readonly<Record<string, unknown>>;
  /**
   * Hangs up and releases the wire. Called exactly once, after queued audio was played or dropped. `deadline` aborts after
   * 5 s, or at once when the session is forced to end: the session then continues without waiting for the promise.
   */
  close(reason: CloseReason, deadline: AbortSignal): Promise<void> | void;
}

/** What the methods of `MediaPort.extend` may use. */
export interface PortMedia {
  /** The transport that the bot gets. */
  readonly transport: Transport;
  /**
   * Resolves, and never rejects, when everything enqueued before was played or dropped, or the call is over. Audio that is
   * enqueued later waits for it. For actions that must not overtake the bot's words: transfer, DTMF.
   */
  played(): Promise<void>;
  /** A separate input, for one participant of several: 20 ms frames at the bot's `audioInSampleRate`, bounded like `Transport.input`. */
  createInput(): CallInput;
}

/** The audio of one participant. */
export interface CallInput {
  /** Takes audio at any rate, of any length, mono or stereo. */
  push(frame: AudioFrame): void;
  /** A new reader of the audio that arrives from now on. */
  listen(): ReadableStream<AudioFrame>;
  /** Closes all readers when they have read what is queued. */
  end(): void;
}

/**
 * How a transport reports what the caller does. `Session.run` returns it. All methods are safe at any time, from any
 * asynchronous scope, before the bot listens and after the call ended; none of them throws.
 *
 * Until the bot calls `createTransport`, the runner buffers the last 500 ms of audio, the first 50 messages of at most
 * 1 MiB together, and the first 50 keys, and counts the rest.
 *
 * At most 100 messages and 20 keys per second reach the bot (300 and 50 at once); the rest is counted. A caller that sends ten
 * times as much for 5 s is disconnected: the call ends with `rate-exceeded`.
 */
export interface Call {
  /** The wire is up: audio flows in both directions. */
  connected(): void;
  /** Audio from the caller: any rate, any length, mono or stereo. */
  audio(frame: AudioFrame): void;
  /** A message from the caller's application, as parsed JSON. `sender` names the participant if several share the call. */
  message(message: unknown, sender?: string): void;
  /** A key that the caller pressed: one of `0-9 * # A-D`. */
  dtmf(key: string): void;
  /** The far end has played everything that was sent before `mark`. */
  played(mark: string): void;
  /** Reports a failure that does not end the call. */
  error(error: Error): void;
  /** An event of this transport alone. Declare its arguments in the `TransportEvents` of `TransportsByTransport`. */
  event(name: string, ...args: readonly unknown[]): void;
  /** The caller is gone. Ends the session; no other call is necessary. Default reason: `caller-left`. */
  left(reason?: CloseReason): void;
}

/** The one media timer of a runner, shared by all calls. */
export interface Pacer {
  readonly clock: Clock;
  /**
   * Calls `tick(dueMs)` every `periodMs` without drift: the n-th tick is due at start + n × periodMs. Ticks that are due run
   * in order; a series that is more than 200 ms late starts again, so that no burst follows a pause. `tick` runs in the
   * asynchronous scope of this call. Returns a function that stops the series.
   */
  every(periodMs: number, tick: (dueMs: number) => void): () => void;
}
