import type { AudioFrame } from "@pipecat-ts/audio";
import type { Transport, TransportEvents } from "@pipecat-ts/runner-core";
import type { DailyEvent } from "./client.ts";
import type { DailyParticipant } from "./participants.ts";
import type { PhoneCalls } from "./phone-calls.ts";

/**
 * The transport of a bot in a Daily room.
 *
 * `input` is the mixed audio of all callers. `clientConnected` is emitted for the first caller, and the call ends when the
 * last one leaves. Bots of other sessions are listed in `participants`, but are not callers. Methods reject with
 * DAILY_CALL_FAILED and Daily's text, and with CALL_ENDED.
 */
export interface DailyTransport extends Transport<DailyTransportEvents>, PhoneCalls {
  /** The bot itself, as it joined. */
  readonly localParticipant: DailyParticipant | undefined;
  /** The other participants, by id. */
  readonly participants: ReadonlyMap<string, DailyParticipant>;
  /** The number of participants, including the bot, and how many of them are hidden. */
  participantCounts(): Promise<{ readonly present: number; readonly hidden: number }>;
  /**
   * The microphone of one participant: mono frames of 20 ms at `audioInSampleRate`, with 500 ms buffered. Closes when the
   * participant leaves; for an unknown id, when the call ends. Cancel it when done.
   */
  listenTo(participantId: string): ReadableStream<AudioFrame>;
  /** Sends an app message to one participant. Rejects with MESSAGE_TOO_LARGE. */
  sendMessageTo(participantId: string, message: unknown): Promise<void>;
  /** https://docs.daily.co/reference/daily-js/instance-methods/update-participants */
  updateParticipants(updates: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Promise<void>;
  /** Removes a participant from the room. */
  eject(participantId: string): Promise<void>;
  /** Resolves with Daily's event when the recording runs. https://docs.daily.co/reference/daily-js/instance-methods/start-recording */
  startRecording(options?: Readonly<Record<string, unknown>>): Promise<DailyEvent>;
  updateRecording(options: Readonly<Record<string, unknown>>): Promise<void>;
  /** Resolves with Daily's event when the recording has stopped. */
  stopRecording(options?: { readonly instanceId: string }): Promise<DailyEvent>;
  /** Resolves with Daily's event when the transcription runs. https://docs.daily.co/reference/daily-js/instance-methods/start-transcription */
  startTranscription(options?: Readonly<Record<string, unknown>>): Promise<DailyEvent>;
  updateTranscription(options: Readonly<Record<string, unknown>>): Promise<void>;
  /** Resolves with Daily's event when the transcription has stopped. */
  stopTranscription(options?: { readonly instanceId?: string }): Promise<DailyEvent>;
  /** Rejects with DAILY_UNSUPPORTED: video does not reach Node. */
  captureParticipantVideo(participantId: string): Promise<never>;
  /** Rejects with DAILY_UNSUPPORTED: daily-js has no such method. */
  sendPrebuiltChatMessage(message: string, userName?: string): Promise<never>;
  /** Rejects with DAILY_UNSUPPORTED: daily-js has no such setting. */
  setLogLevel(level: string): Promise<never>;
}

/**
 * The events of a Daily room, in addition to those of every transport. A `DailyEvent` is the event of daily-js, unchanged.
 * https://docs.daily.co/reference/daily-js/events
 */
export interface DailyTransportEvents extends TransportEvents {
  /** The bot is in the room. */
  joined: [bot: DailyParticipant];
  /** The bot is out of the room, for any reason. Emitted once. */
  left: [];
  callStateUpdated: [state: "joined" | "leaving" | "left"];
  /** The first caller of this call joined. Bots of other sessions do not count. `clientConnected` follows. */
  firstParticipantJoined: [participant: DailyParticipant];
  participantJoined: [participant: DailyParticipant];
  participantUpdated: [participant: DailyParticipant];
  /** Daily's only `reason` is `hidden`. The call ends when only bots are left. */
  participantLeft: [participant: DailyParticipant, reason?: string];
  /** `undefined` when the active speaker is not a known participant. */
  activeSpeakerChanged: [participant: DailyParticipant | undefined];
  /** The room accepts phone calls at this address. A call on hold has been connected. */
  dialinReady: [sipEndpoint: string];
  dialinConnected: [event: DailyEvent];
  dialinStopped: [event: DailyEvent];
  /** Also emitted when a call on hold could not be connected to the room. */
  dialinError: [event: DailyEvent];
  dialinWarning: [event: DailyEvent];
  dialoutConnected: [event: DailyEvent];
  dialoutAnswered: [event: DailyEvent];
  dialoutStopped: [event: DailyEvent];
  /** Also emitted when `startDialout` rejects. */
  dialoutError: [event: DailyEvent];
  dialoutWarning: [event: DailyEvent];
  recordingStarted: [event: DailyEvent];
  recordingStopped: [event: DailyEvent];
  recordingError: [event: DailyEvent];
  transcriptionStarted: [event: DailyEvent];
  transcriptionStopped: [event: DailyEvent];
  transcriptionError: [event: DailyEvent];
  transcriptionMessage: [event: DailyEvent];
  /** Every event of daily-js. */
  dailyEvent: [event: DailyEvent];
}

/** Events of daily-js that are emitted unchanged under another name. */
export const forwardedEvents: Readonly<Record<string, ForwardedName>> = {
  "dialin-connected": "dialinConnected",
  "dialin-stopped": "dialinStopped",
  "dialin-error": "dialinError",
  "dialin-warning": "dialinWarning",
  "dialout-connected": "dialoutConnected",
  "dialout-answered": "dialoutAnswered",
  "dialout-stopped": "dialoutStopped",
  "dialout-error": "dialoutError",
  "dialout-warning": "dialoutWarning",
  "recording-started": "recordingStarted",
  "recording-stopped": "recordingStopped",
  "recording-error": "recordingError",
  "transcription-started": "transcriptionStarted",
  "transcription-stopped": "transcriptionStopped",
  "transcription-error": "transcriptionError",
  "transcription-message": "transcriptionMessage",
};

type ForwardedName = {
  [Name in keyof DailyTransportEvents]: DailyTransportEvents[Name] extends [event: DailyEvent] ? Name : never;
}[keyof DailyTransportEvents];
