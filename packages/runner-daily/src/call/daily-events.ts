import type { TransportEvents } from "@pipecat-ts/runner-core";
import type { DailyEvent } from "./daily-call.ts";
import type { DailyParticipant } from "./participant.ts";

/**
 * What a Daily room tells its bot, beside what every transport tells. Where a listener gets a `DailyEvent`, it is
 * daily-js's own. https://docs.daily.co/reference/daily-js/events
 */
export interface DailyTransportEvents extends TransportEvents {
  /** The bot is in the room. */
  joined: [bot: DailyParticipant];
  /** The bot is out of the room, whatever the way. Once. */
  left: [];
  /** `joined`, `leaving`, `left`. */
  callStateUpdated: [state: "joined" | "leaving" | "left"];
  /** Somebody is there, for the first time in this call; another session's bot does not count. `clientConnected` comes with it. */
  firstParticipantJoined: [participant: DailyParticipant];
  participantJoined: [participant: DailyParticipant];
  participantUpdated: [participant: DailyParticipant];
  /** `hidden` is the only reason that Daily tells. When nobody is left but bots, the call ends. */
  participantLeft: [participant: DailyParticipant, reason?: string];
  /** Who speaks now; `undefined` when it is nobody known. */
  activeSpeakerChanged: [participant: DailyParticipant | undefined];
  /** The room takes phone calls at this address. A call that waits on hold has been sent there. */
  dialinReady: [sipEndpoint: string];
  dialinConnected: [event: DailyEvent];
  dialinStopped: [event: DailyEvent];
  /** Also when a call on hold could not be sent to the room. */
  dialinError: [event: DailyEvent];
  dialinWarning: [event: DailyEvent];
  dialoutConnected: [event: DailyEvent];
  dialoutAnswered: [event: DailyEvent];
  dialoutStopped: [event: DailyEvent];
  /** Also when `startDialout` was refused. */
  dialoutError: [event: DailyEvent];
  dialoutWarning: [event: DailyEvent];
  recordingStarted: [event: DailyEvent];
  recordingStopped: [event: DailyEvent];
  recordingError: [event: DailyEvent];
  transcriptionStarted: [event: DailyEvent];
  transcriptionStopped: [event: DailyEvent];
  transcriptionError: [event: DailyEvent];
  transcriptionMessage: [event: DailyEvent];
  /** Every event of daily-js's, as it came: for those that have no name here. */
  dailyEvent: [event: DailyEvent];
}

/** The events that every transport has. */
export type BaseEventName = keyof TransportEvents;

/** Events that are passed on under a name of ours, unchanged. */
export const passedOn: Readonly<Record<string, PassedOnName>> = {
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

type PassedOnName = {
  [Name in keyof DailyTransportEvents]: DailyTransportEvents[Name] extends [event: DailyEvent] ? Name : never;
}[keyof DailyTransportEvents];

const baseEvents: Readonly<Record<BaseEventName, true>> = {
  clientConnected: true,
  clientDisconnected: true,
  appMessage: true,
  dtmf: true,
  botStartedSpeaking: true,
  botStoppedSpeaking: true,
  error: true,
};

export function isBaseEvent(name: string): name is BaseEventName {
  return Object.hasOwn(baseEvents, name);
}
