import type { AudioFrame } from "@pipecat-ts/audio";
import type { Availability, Logger } from "@pipecat-ts/runner-core";

/** What happened in a room, as daily-js tells it, without media tracks. https://docs.daily.co/reference/daily-js/events */
export interface DailyEvent {
  /** `participant-joined`, `dialin-ready`, … */
  readonly action: string;
  readonly [field: string]: unknown;
}

/** How a bot joins. */
export interface JoinRequest {
  readonly roomUrl: string;
  /** Without one it joins as a guest, which only public rooms allow. */
  readonly token?: string;
  readonly userName: string;
  /** What the others' daily-js says of the bot as `userData`. */
  readonly userData?: Readonly<Record<string, unknown>>;
  /** Rate in Hz of what `sendAudio` gets. */
  readonly sampleRate: number;
  /** Of the bot's voice, in bits a second; Daily's choice for speech unless said. */
  readonly bitrate?: number;
  /** Whether it listens to the others. */
  readonly hears: boolean;
  /** Milliseconds until it is given up. */
  readonly timeoutMs: number;
}

/** Where one call tells what happens. Nothing is told before `join` resolved, or after `close`. */
export interface DailyCallListener {
  event(event: DailyEvent): void;
  /** What somebody says: mono, of any rate and length. `track` is `audio`, `screenAudio` or a custom track's name. */
  audio(participantId: string, track: string, frame: AudioFrame): void;
  /** Everything that was sent before this mark has been played. */
  played(mark: string): void;
  /** The bot is out of the room without having left. Nothing follows. */
  lost(error: Error): void;
}

/** One bot's seat in one room: the little that a transport needs of an engine. */
export interface DailyCall {
  /**
   * Takes the seat, once. Rejects, with everything released, with an error of a code: DAILY_BROWSER_MISSING,
   * DAILY_SDK_MISSING, DAILY_BUNDLE_UNREACHABLE, DAILY_JOIN_REFUSED, DAILY_JOIN_FAILED, DAILY_JOIN_TIMEOUT,
   * DAILY_BROWSER_CRASHED.
   */
  join(request: JoinRequest): Promise<{
    /** Those whom Daily listed, as it lists them, the bot itself under `local`. */
    readonly participants: Readonly<Record<string, unknown>>;
  }>;
  /** Puts mono audio behind what waits to be played. */
  sendAudio(samples: Int16Array): void;
  /** Drops what waits to be played, and the marks in it. */
  clearAudio(): void;
  markAudio(mark: string): void;
  /** What waits in the engine's own pipe, in bytes. */
  readonly bufferedBytes: number;
  /** Calls a method of daily-js by its name; rejects with DAILY_CALL_FAILED in Daily's words. */
  request(method: DailyMethod, ...args: readonly unknown[]): Promise<unknown>;
  /** Leaves and releases everything. Never rejects; twice is once. Works while joining, too, which then rejects. */
  close(): Promise<void>;
}

/** The methods of daily-js that a bot may use. https://docs.daily.co/reference/daily-js/instance-methods */
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

/** What puts bots into rooms. */
export interface DailyEngine {
  /** Whether it can run here. Opens nothing. */
  check(): Availability;
  /** A seat that is not taken yet. Opens nothing before `join`. */
  open(listener: DailyCallListener, logger: Logger): DailyCall;
}
