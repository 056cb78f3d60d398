import type { AudioFrame } from "@pipecat-ts/audio";
import type { Transport } from "@pipecat-ts/runner-core";
import type { DailyEvent } from "./daily-call.ts";
import type { DailyTransportEvents } from "./daily-events.ts";
import type { DailyParticipant } from "./participant.ts";
import type { PhoneCalls } from "./phone-calls.ts";

/**
 * A bot's seat in a Daily room: what every transport can do, and what a room can.
 *
 * `input` is all that the others say, mixed; `clientConnected` comes with the first of them, and the call ends when the last
 * has left. Other sessions' bots in the room are among `participants`, and count for none of this. Methods reject with DAILY_CALL_FAILED in Daily's words, and CALL_ENDED.
 */
export interface DailyTransport extends Transport<DailyTransportEvents>, PhoneCalls {
  /** The bot itself, as it joined. */
  readonly localParticipant: DailyParticipant | undefined;
  /** The others in the room, by id. */
  readonly participants: ReadonlyMap<string, DailyParticipant>;
  /** How many are there, the bot among them, and how many of them hidden. */
  participantCounts(): Promise<{ readonly present: number; readonly hidden: number }>;
  /**
   * What one of them says: mono frames of 20 ms at `audioInSampleRate`, with 500 ms of them kept unread. It closes when they
   * leave; for somebody who is not there it waits until the call ends. Cancel it when done.
   */
  listenTo(participantId: string): ReadableStream<AudioFrame>;
  /** Sends an app message to one of them. Rejects with MESSAGE_TOO_LARGE. */
  sendMessageTo(participantId: string, message: unknown): Promise<void>;
  /** Changes others. https://docs.daily.co/reference/daily-js/instance-methods/update-participants */
  updateParticipants(updates: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Promise<void>;
  /** Removes somebody from the room. */
  eject(participantId: string): Promise<void>;
  /** Resolves with Daily's event when it runs. https://docs.daily.co/reference/daily-js/instance-methods/start-recording */
  startRecording(options?: Readonly<Record<string, unknown>>): Promise<DailyEvent>;
  updateRecording(options: Readonly<Record<string, unknown>>): Promise<void>;
  /** Resolves with Daily's event when it has stopped. */
  stopRecording(options?: { readonly instanceId: string }): Promise<DailyEvent>;
  /** Resolves with Daily's event when it runs. https://docs.daily.co/reference/daily-js/instance-methods/start-transcription */
  startTranscription(options?: Readonly<Record<string, unknown>>): Promise<DailyEvent>;
  updateTranscription(options: Readonly<Record<string, unknown>>): Promise<void>;
  /** Resolves with Daily's event when it has stopped. */
  stopTranscription(options?: { readonly instanceId?: string }): Promise<DailyEvent>;
  /** Rejects with DAILY_UNSUPPORTED: pictures do not reach Node. */
  captureParticipantVideo(participantId: string): Promise<never>;
  /** Rejects with DAILY_UNSUPPORTED: daily-js has no method for it. */
  sendPrebuiltChatMessage(message: string, userName?: string): Promise<never>;
  /** Rejects with DAILY_UNSUPPORTED: daily-js has no such setting. */
  setLogLevel(level: string): Promise<never>;
}
