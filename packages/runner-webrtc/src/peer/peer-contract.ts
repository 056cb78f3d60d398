import type { Logger } from "@pipecat-ts/runner-core";

/** What a peer is made with. */
export interface PeerOptions {
  /** STUN and TURN servers. None: the host's own addresses only. */
  readonly iceServers: readonly IceServer[];
  /** Whether to offer and use relayed candidates only. Default false. */
  readonly relayOnly?: boolean;
  /** The address that host candidates carry in place of the host's own: for a 1:1 NAT before it. */
  readonly announceIp?: string;
  /** The one address of this host to be reached at, in place of all it has. */
  readonly hostAddress?: string;
  /** The UDP ports to bind, both ends included. Default: what the system gives. */
  readonly udpPorts?: readonly [first: number, last: number];
  /** Whether we open DTLS where the offer leaves it to us. Default false: a call is up the sooner where the caller does. */
  readonly opensDtls?: boolean;
  readonly logger: Logger;
}

/** A peer connection with one caller, on the answering side. The engine behind it is this file's secret. */
export interface Peer {
  readonly state: PeerState;
  /**
   * Answers an offer: the first, one that renegotiates, or one that restarts ICE. The answer holds every candidate of ours.
   * Calls queue. Rejects with OFFER_INVALID (400), UDP_PORTS_EXHAUSTED and TURN_UNREACHABLE (503), and then the peer is as it
   * was before; with OPTION_INVALID for ICE servers that are none, and with CALL_ENDED once it is closed.
   */
  answer(offerSdp: string): Promise<string>;
  /** Takes a candidate that the caller trickled; before the first offer it is kept. One of no use is counted. */
  addCandidate(candidate: RemoteCandidate): void;
  /** Puts one Opus packet on the wire; dropped before the wire is up. `timestamp` counts at 48,000 Hz. */
  sendAudio(payload: Uint8Array, timestamp: number): void;
  /** Sends text on the caller's data channel. Throws when none is open. */
  sendText(text: string): void;
  /** Whether the caller's offer has a data channel: one whose has none, a phone's, will not open any. */
  readonly offersChannel: boolean;
  /** Bytes that wait in the data channel. */
  readonly bufferedBytes: number;
  /** The largest message in bytes that the caller takes, by its offer. */
  readonly maxMessageBytes: number;
  /** How often something came that only the caller can have sent: media, reports on ours, data. While it grows, they are there. */
  readonly heard: number;
  /** What was not taken, for the log. */
  readonly counters: PeerCounters;
  /** Closes everything; resolves when the sockets and timers are gone. Twice is once. */
  close(): Promise<void>;
}

/** What a caller sent that was of no use. */
export interface PeerCounters {
  /** Candidates that are no address, not for UDP, of an earlier ICE generation, or more than are tried. */
  readonly candidatesIgnored: number;
  /** Datagrams that came from elsewhere than the caller, and media whose headers do not hold. */
  readonly datagramsIgnored: number;
  /** Data channel messages, and packets of them, that could not be understood. */
  readonly messagesIgnored: number;
}

/** Where the wire is: `connected` once media and data are encrypted both ways; `closed` also when the caller closed it. */
export type PeerState = "new" | "connecting" | "connected" | "failed" | "closed";

/** What a peer tells. Called from any asynchronous scope. */
export interface PeerListener {
  state(state: PeerState): void;
  audio(packet: AudioPacket): void;
  /** The caller reports how much of our voice got lost since its last report, in %. */
  loss(percent: number): void;
  /** The caller's data channel: the last one opened is the one that counts. */
  channel(state: "open" | "closed"): void;
  text(text: string): void;
}

/** One RTP packet of the caller's voice, in order of arrival. */
export interface AudioPacket {
  /** One Opus packet. */
  readonly payload: Uint8Array;
  /** 16 bits, wrapping. */
  readonly sequenceNumber: number;
  /** 32 bits, wrapping, at 48,000 Hz. */
  readonly timestamp: number;
}

/** A candidate as clients trickle it. `candidate: ""` ends them. */
export interface RemoteCandidate {
  readonly candidate: string;
  readonly sdpMid?: string | undefined;
  readonly sdpMLineIndex?: number | undefined;
}

/** An ICE server, as browsers write it. */
export interface IceServer {
  readonly urls: string | readonly string[];
  readonly username?: string;
  readonly credential?: string;
}
