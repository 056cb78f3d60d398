import type { AudioFrame } from "@pipecat-ts/audio";
import type { CloseReason } from "@pipecat-ts/runner-core";

/** What a transport supplies of one call: how to put one frame, one message, one clear on its wire. Media does the rest. */
export interface MediaPort {
  /**
   * Rates in Hz that the wire takes, the preferred one first. Audio of one of them is sent as it is, any other is
   * resampled to the first. Always mono.
   */
  readonly sampleRates: readonly [number, ...number[]];
  /** How much audio one `send` carries, in ms: 20, or 40 where frames cost. */
  readonly frameMs: number;
  /** How far ahead of real time audio may be sent, in ms, where the far end buffers and can clear. Default 0. */
  readonly sendAheadMs?: number;
  /** Whether the wire wants silence while the bot says nothing, a frame every `frameMs` from the start. Default false. */
  readonly continuous?: boolean;
  /** Puts one frame on the wire now: mono, one of `sampleRates`, exactly `frameMs` long (the last of a stretch is padded with silence). */
  send(frame: AudioFrame): void;
  /** Makes the far end drop what it has not played. */
  clear?(): void;
  /** Asks the far end to report, by `Caller.played(mark)`, when everything sent so far was played. Absent: the send clock is believed. */
  mark?(mark: string): void;
  /**
   * How much audio may lie between two marks, in ms, where a mark costs as much as a frame. Between them the far end is
   * believed to play on. The first frame of a stretch and its end are marked besides. Default: every frame is marked.
   */
  readonly markEveryMs?: number;
  /** Sends one app message. Absent: MESSAGES_UNSUPPORTED. */
  sendMessage?(message: unknown): Promise<void>;
  /** Bytes that wait in the wire's own buffer. Above 1 MiB media sends no further audio, drops it, and counts. */
  bufferedBytes?(): number;
  /** Hangs up and releases the wire. Called once, after what is queued was played or dropped. */
  close(reason: CloseReason): Promise<void> | void;
}

/** What a transport tells media of the caller. All of it is safe to call at any time, also after the end. */
export interface Caller {
  /** The wire is up: the caller can hear and be heard. */
  connected(): void;
  /** Audio from the caller: any rate, any length, mono or stereo. */
  audio(frame: AudioFrame): void;
  /** An app message from the caller. */
  message(message: unknown, sender?: string): void;
  /** A key the caller pressed. */
  dtmf(digit: string): void;
  /** The far end has played everything that was sent before `mark`. */
  played(mark: string): void;
  /** Something failed that does not end the call. */
  error(error: Error): void;
  /** An event of this transport's own: its name and arguments as in the events that the transport adds to `TransportEvents`. */
  event(name: string, ...args: readonly unknown[]): void;
  /** The caller is gone; `port.close` follows. */
  left(reason?: CloseReason): void;
}
