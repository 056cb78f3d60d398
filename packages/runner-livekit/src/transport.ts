import type { Transport, TransportEvents } from "@pipecat-ts/runner-core";
import type { LiveKitParticipant } from "./client.ts";

/**
 * The transport of a bot in a LiveKit room.
 *
 * `input` is the mixed audio of all callers. `clientConnected` is emitted for the first caller, and the call ends when the last
 * one leaves. Agents, such as bots of other sessions in the same room, are listed in `participants`, but are not callers.
 * Methods reject with LIVEKIT_FAILED and LiveKit's text, and with CALL_ENDED.
 */
export interface LiveKitTransport extends Transport<LiveKitTransportEvents> {
  /** The bot itself. */
  readonly localParticipant: LiveKitParticipant;
  /** The other participants, by identity. At most 1,000 are listed. */
  readonly participants: ReadonlyMap<string, LiveKitParticipant>;
  /** Sends a message to one participant. Rejects with MESSAGE_TOO_LARGE. */
  sendMessageTo(identity: string, message: unknown): Promise<void>;
  /** Stops receiving the audio of one participant. The others still hear it. */
  muteParticipant(identity: string): void;
  /** Receives the audio of a muted participant again. */
  unmuteParticipant(identity: string): void;
  /** Sets the bot's metadata, which its token must allow. */
  setMetadata(metadata: string): Promise<void>;
  /** Sends one key (`0-9 * # A-D`) to the phones in the room. Throws DTMF_INVALID for other keys. */
  sendDtmf(key: string): Promise<void>;
}

/** The events of a LiveKit room, in addition to those of every transport. */
export interface LiveKitTransportEvents extends TransportEvents {
  /** The bot is in the room. */
  joined: [bot: LiveKitParticipant];
  /** The bot is out of the room, for any reason. Emitted once. */
  left: [];
  /** The first caller of this call joined. `clientConnected` follows when the caller hears the bot. */
  firstParticipantJoined: [participant: LiveKitParticipant];
  participantJoined: [participant: LiveKitParticipant];
  /** The reason is LiveKit's, such as `CLIENT_INITIATED`; missing when LiveKit gives none. */
  participantLeft: [participant: LiveKitParticipant, reason?: string];
  /** `participant.attributes` are the new ones. LiveKit SIP reports the progress of a phone call with `sip.callStatus`. */
  participantAttributesChanged: [participant: LiveKitParticipant];
  /** The bot receives audio of this participant. */
  audioTrackSubscribed: [participant: LiveKitParticipant];
  audioTrackUnsubscribed: [participant: LiveKitParticipant];
  /** The identities of who speaks now, the loudest first, including the bot. At most 50. */
  activeSpeakersChanged: [identities: readonly string[]];
  /** The connection to LiveKit is interrupted; the SDK connects again. Audio is lost meanwhile. */
  reconnecting: [];
  reconnected: [];
}
