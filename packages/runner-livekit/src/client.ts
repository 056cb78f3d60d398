import type { AudioFrame } from "@pipecat-ts/audio";
import type { Availability } from "@pipecat-ts/runner-core";

/** How bots join rooms: what the transport requires of a LiveKit SDK. The default, `createRtcClient`, is `@livekit/rtc-node`. */
export interface LiveKitClient {
  /** Whether it can run on this machine. Loads nothing. */
  check(): Availability;
  /**
   * Joins a room. Rejects, with everything released, with LIVEKIT_SDK_MISSING, LIVEKIT_REFUSED, LIVEKIT_UNREACHABLE,
   * LIVEKIT_JOIN_FAILED, LIVEKIT_JOIN_TIMEOUT, or CALL_ENDED when `signal` aborts.
   */
  join(request: JoinRequest, listener: RoomListener): Promise<RoomConnection>;
}

/** The room that a client joins, named by its token. */
export interface JoinRequest {
  readonly url: string;
  readonly token: string;
  /** Sample rate of `sendAudio` in Hz; `undefined`: the bot sends no audio. */
  readonly sampleRateOut: number | undefined;
  /** Sample rate of received audio in Hz; `undefined`: the bot receives none. */
  readonly sampleRateIn: number | undefined;
  /** Whether to receive the audio of agents, as callers do. Default false. */
  readonly hearsAgents?: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A bot in a room. Methods that return a promise reject with LIVEKIT_FAILED and CALL_ENDED. */
export interface RoomConnection {
  /** Queues mono audio for playout. */
  sendAudio(samples: Int16Array): void;
  /** Drops the queued audio. */
  clearAudio(): void;
  /** Sends a reliable data packet, by default to all participants. Rejects with MESSAGE_TOO_LARGE above about 64,000 bytes. */
  sendData(data: Uint8Array, to?: string): Promise<void>;
  sendDtmf(code: number, key: string): Promise<void>;
  setMetadata(metadata: string): Promise<void>;
  /** Whether to receive the audio of a participant. Has no effect when the bot receives no audio. */
  setSubscribed(identity: string, subscribed: boolean): void;
  /** Leaves the room and releases everything. Never rejects; later calls have no effect. */
  close(): Promise<void>;
}

/** The events of one room. None occurs after `close`. */
export interface RoomListener {
  /** The bot is in the room. `participantJoined` follows for everyone who is present. Precedes every other event. */
  joined(local: LiveKitParticipant): void;
  /** `wasPresent`: the participant was in the room before the bot. */
  participantJoined(participant: LiveKitParticipant, wasPresent?: boolean): void;
  participantLeft(identity: string, reason?: string): void;
  /** `participant.attributes` are the new ones. */
  attributesChanged(participant: LiveKitParticipant): void;
  /** Audio of one participant: mono, 20 ms at `sampleRateIn`. */
  audio(identity: string, frame: AudioFrame): void;
  audioSubscribed(identity: string, subscribed: boolean): void;
  /** The first participant receives the bot's audio. */
  heard(): void;
  /** `sender` is missing for a server, and for a participant who is not announced yet. */
  data(data: Uint8Array, sender?: string): void;
  dtmf(key: string): void;
  activeSpeakers(identities: readonly string[]): void;
  reconnecting(): void;
  reconnected(): void;
  /** An event of the SDK could not be handled. The call continues. */
  failed(error: Error): void;
  /** The bot is out of the room although it did not leave. Nothing follows. */
  disconnected(reason: string): void;
}

/** A participant of a room. LiveKit limits identities to 256 characters by default. */
export interface LiveKitParticipant {
  /** Unique in its room. The token decides it. */
  readonly identity: string;
  /** The first 256 characters. */
  readonly name: string;
  /** The first 16,384 characters. */
  readonly metadata: string;
  /** At most 16,384 characters of names and values; attributes beyond that are left out. LiveKit SIP describes phones with them. */
  readonly attributes: Readonly<Record<string, string>>;
  /** `standard`, `agent`, `sip` for a phone, `ingress`, `egress` and others. */
  readonly kind: string;
}
