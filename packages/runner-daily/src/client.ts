import type { AudioFrame } from "@pipecat-ts/audio";
import type { Availability } from "@pipecat-ts/runner-core";

/**
 * How bots join rooms: what a transport requires of a client SDK of Daily. The default, `createBrowserClient`, runs daily-js
 * in headless Chromium.
 */
export interface DailyClient {
  /** Whether it can run on this machine. Opens nothing. */
  check(): Availability;
  /**
   * For `pipecat-runner doctor`: starts what a bot needs to join, and ends it again. Rejects with a fix when it does not work, or when
   * `signal` aborts.
   */
  probe?(signal: AbortSignal): Promise<void>;
  /** Creates the call of one bot. Opens nothing before `join`. */
  open(listener: DailyCallListener): DailyCall;
}

/** The call of one bot in one room. */
export interface DailyCall {
  /**
   * Joins the room, once. Rejects, with everything released, with DAILY_BROWSER_MISSING, DAILY_SDK_MISSING,
   * DAILY_BUNDLE_UNREACHABLE, DAILY_JOIN_REFUSED, DAILY_JOIN_FAILED, DAILY_JOIN_TIMEOUT, DAILY_BROWSER_CRASHED or CALL_ENDED.
   */
  join(request: JoinRequest): Promise<void>;
  /** Queues mono audio for playout. */
  sendAudio(samples: Int16Array): void;
  /** Drops the queued audio, and the marks in it. */
  clearAudio(): void;
  /** Queues a mark behind the audio. */
  markAudio(mark: string): void;
  /** Bytes in the send buffer of the client's own connection. */
  readonly bufferedBytes: number;
  /** Calls a method of daily-js. Rejects with DAILY_CALL_FAILED and Daily's text. */
  request(method: DailyMethod, ...args: readonly unknown[]): Promise<unknown>;
  /**
   * Leaves the room and releases everything; a `join` in progress rejects. Never rejects; later calls have no effect. Stops
   * waiting for Daily when `deadline` aborts.
   */
  close(deadline?: AbortSignal): Promise<void>;
}

/** The room that a client joins, and under which name. */
export interface JoinRequest {
  readonly roomUrl: string;
  /** Without a token the bot joins as a guest, which only public rooms allow. */
  readonly token?: string;
  readonly userName: string;
  /** `userData` of the bot in the daily-js of the other participants. */
  readonly userData?: Readonly<Record<string, unknown>>;
  /** Sample rate of `sendAudio` in Hz. */
  readonly sampleRate: number;
  /** Bitrate of the bot's audio in bits per second. Default: Daily's preset for speech. */
  readonly bitrate?: number;
  /** Whether to subscribe to the audio of the other participants. */
  readonly receiveAudio: boolean;
  readonly timeoutMs: number;
}

/** The events of one call. None occurs after `close`. */
export interface DailyCallListener {
  /** The bot is in the room. `participants` is what daily-js lists, with the bot itself as `local`. Precedes every `event`. */
  joined(participants: Readonly<Record<string, unknown>>): void;
  event(event: DailyEvent): void;
  /** Audio of one participant: mono, any rate, any length. `track` is `audio`, `screenAudio` or the name of a custom track. */
  audio(participantId: string, track: string, frame: AudioFrame): void;
  /** Everything that was sent before this mark has been played. */
  played(mark: string): void;
  /** The bot is out of the room although it did not leave. Nothing follows. */
  lost(error: Error): void;
}

/** An event of daily-js, without media tracks. https://docs.daily.co/reference/daily-js/events */
export interface DailyEvent {
  /** `participant-joined`, `dialin-ready`, … */
  readonly action: string;
  readonly [field: string]: unknown;
}

/** The methods of daily-js that a bot may call. https://docs.daily.co/reference/daily-js/instance-methods */
export type DailyMethod =
  | "sendAppMessage"
  | "startDialOut"
  | "stopDialOut"
  | "sendDTMF"
  | "sipCallTransfer"
  | "sipRefer"
  | "startRecording"
  | "updateRecording"
  | "stopRecording"
  | "startTranscription"
  | "updateTranscription"
  | "stopTranscription"
  | "updateParticipant"
  | "updateParticipants"
  | "participantCounts";
