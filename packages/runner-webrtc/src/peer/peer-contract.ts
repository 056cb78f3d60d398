import type { Logger, VideoSource } from "@pipecat-ts/runner-core";
import type { MdnsQueries } from "./mdns.ts";

export interface PeerOptions {
  /** STUN and TURN servers. Without any, only the host's own addresses are used. */
  readonly iceServers: readonly IceServer[];
  /** Whether to use relayed candidates only. Default false. */
  readonly relayOnly?: boolean;
  /** The address in host candidates instead of the host's own, for a host behind a 1:1 NAT. */
  readonly announceIp?: string;
  /** The only address of this host to listen on. Default: all of them. */
  readonly hostAddress?: string;
  /** The range of UDP ports to bind (inclusive). Default: any. */
  readonly udpPorts?: readonly [first: number, last: number];
  /** Whether to be the DTLS client if the offer allows both roles. Default false, because the caller connects sooner. */
  readonly opensDtls?: boolean;
  /** The mDNS queries of all callers that share a limit. Default: this caller's alone. */
  readonly mdnsQueries?: MdnsQueries;
  readonly logger: Logger;
}

/** A WebRTC peer connection with one caller, on the answering side. */
export interface Peer {
  readonly state: PeerState;
  /**
   * Answers the first offer, a renegotiation or an ICE restart. The answer has all of our candidates. Calls are queued. Rejects
   * with OFFER_INVALID (400), UDP_PORTS_EXHAUSTED (503) or TURN_UNREACHABLE (503), which leave the peer as it was, with
   * OPTION_INVALID for malformed ICE servers, and with CALL_ENDED after `close()`. `acceptsVideo` (default false) accepts the
   * caller's video.
   */
  answer(offerSdp: string, acceptsVideo?: boolean): Promise<string>;
  /** Adds a trickled candidate. Buffers it before the first offer, and counts it if it is unusable. */
  addCandidate(candidate: RemoteCandidate): void;
  /** Sends one Opus packet, or drops it unless connected. `timestamp` counts at 48,000 Hz. */
  sendAudio(payload: Uint8Array, timestamp: number): void;
  /** Sends text on the caller's data channel. Throws if no channel is open. */
  sendText(text: string): void;
  readonly video: PeerVideo;
  /** Whether the caller's offer has a data channel. If not, as in phone calls, none will open. */
  readonly offersChannel: boolean;
  /** Bytes buffered in the data channel. */
  readonly bufferedBytes: number;
  /** The largest message that the caller accepts, in bytes. */
  readonly maxMessageBytes: number;
  /** The number of authenticated packets received: media, RTCP and data. It grows while the caller is present. */
  readonly packetsReceived: number;
  /** What was ignored, for the log. */
  readonly counters: PeerCounters;
  /** Closes the connection. Resolves once sockets and timers are released. May be called more than once. */
  close(): Promise<void>;
}

/** The caller's video. */
export interface PeerVideo {
  /** The sources that the last offer can send as VP8. */
  readonly offered: readonly VideoSource[];
  /** Whether the last answer accepted them. */
  readonly accepted: boolean;
  /** Whether the listener gets the packets. Without it, packets cost next to nothing. Default false. */
  receive(wanted: boolean): void;
  /** Asks for a key frame (PLI, RFC 4585, section 6.3.1). Returns false if that is not possible yet. */
  requestKeyFrame(source: VideoSource): boolean;
}

/** How much of the caller's input was unusable. */
export interface PeerCounters {
  /** Candidates that are malformed, not UDP, of an earlier ICE generation, or above the limit. */
  readonly candidatesIgnored: number;
  /** Datagrams from other senders than the caller, and media with a malformed header. */
  readonly datagramsIgnored: number;
  /** Data channel packets and messages that could not be read. */
  readonly messagesIgnored: number;
}

/** `connected` once media and data are encrypted both ways. `closed` also if the caller closed the connection. */
export type PeerState = "new" | "connecting" | "connected" | "failed" | "closed";

/** Receives a peer's events, in any asynchronous scope. */
export interface PeerListener {
  state(state: PeerState): void;
  audio(packet: AudioPacket): void;
  video(packet: VideoPacket): void;
  /** The share of our audio packets that was lost since the caller's last report, in %. */
  loss(percent: number): void;
  /** The state of the caller's data channel: the last one it opened. */
  channel(state: "open" | "closed"): void;
  /** A message on the data channel: text, or the same in binary as UTF-8. */
  text(text: string): void;
}

/** One RTP packet of the caller's audio, in order of arrival. */
export interface AudioPacket {
  /** One Opus packet. */
  readonly payload: Uint8Array;
  /** 16 bits, wrapping. */
  readonly sequenceNumber: number;
  /** 32 bits, wrapping, at 48,000 Hz. */
  readonly timestamp: number;
}

/** One RTP packet of the caller's video, in order of arrival. */
export interface VideoPacket {
  readonly source: VideoSource;
  /** VP8 (RFC 7741). */
  readonly payload: Uint8Array;
  /** 16 bits, wrapping. */
  readonly sequenceNumber: number;
  /** 32 bits, wrapping; the same for all packets of a frame. */
  readonly timestamp: number;
  /** Whether it is the last packet of a frame. */
  readonly marker: boolean;
}

/** A trickled candidate. `candidate: ""` marks the end of candidates. */
export interface RemoteCandidate {
  readonly candidate: string;
  readonly sdpMid?: string | undefined;
  readonly sdpMLineIndex?: number | undefined;
}

/** An ICE server in the shape of the browser's `RTCIceServer`. */
export interface IceServer {
  readonly urls: string | readonly string[];
  readonly username?: string;
  readonly credential?: string;
}
