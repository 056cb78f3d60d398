import {
  attributeValues,
  type Direction,
  type Offer,
  type OfferedAudio,
  type OfferedData,
  type OfferedSection,
} from "./offer.ts";

/** Our side of a call. */
export interface LocalDescription {
  /** `sha-256 AB:CD…`. */
  readonly fingerprint: string;
  readonly audio: LocalTransport;
  /** Defined only if the offer does not bundle audio and data. */
  readonly data: LocalTransport | undefined;
  /** The source of every RTP packet that we send. */
  readonly ssrc: number;
  /** The largest message that we accept, in bytes. */
  readonly maxMessageBytes: number;
  readonly sctpPort: number;
  /** The number of this answer in the call, from 1. */
  readonly version: number;
}

/** Our ICE and DTLS parameters. */
export interface LocalTransport {
  /** `active` if we are the DTLS client. */
  readonly setup: "active" | "passive";
  readonly usernameFragment: string;
  readonly password: string;
  /** All `a=candidate` values. Pipecat's protocol cannot trickle candidates to the client. */
  readonly candidates: readonly string[];
}

/**
 * Writes the answer (RFC 8829, section 5.3): one section for each offered section. Sections without audio or data are rejected
 * with port 0.
 *
 * Pipecat's ESP32 client requires one fingerprint algorithm, candidates once per transport, lines shorter than 256 characters
 * and CRLF (https://github.com/pipecat-ai/pipecat-esp32, https://github.com/sepfy/libpeer).
 */
export function writeAnswer(offer: Offer, local: LocalDescription): string {
  const { audio, data } = offer;
  const bundle = offer.bundle.filter((mid) => mid === audio.mid || mid === data?.mid);
  const lines = [
    "v=0",
    `o=- ${local.ssrc} ${local.version} IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    ...(bundle.length === 0 ? [] : [`a=group:BUNDLE ${bundle.join(" ")}`]),
    "a=msid-semantic:WMS *",
  ];
  for (const section of offer.sections) {
    const withCandidates = !bundle.slice(1).includes(section.mid);
    if (section.mid === audio.mid) lines.push(...audioLines(audio, local, withCandidates));
    else if (section.mid === data?.mid) lines.push(...dataLines(data, local, withCandidates));
    else lines.push(...rejectedLines(section));
  }
  return `${lines.join("\r\n")}\r\n`;
}

function audioLines(audio: OfferedAudio, local: LocalDescription, withCandidates: boolean): string[] {
  const type = audio.opusPayloadType;
  return [
    `m=audio 9 ${audio.protocol} ${type}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transportLines(audio, local, local.audio, withCandidates),
    `a=${reversed[audio.direction]}`,
    // Without an msid, a browser's `track` event has no stream.
    "a=msid:bot voice",
    "a=rtcp-mux",
    `a=rtpmap:${type} opus/48000/2`,
    `a=fmtp:${type} minptime=10;useinbandfec=1`,
    `a=ssrc:${local.ssrc} cname:bot`,
  ];
}

function dataLines(data: OfferedData, local: LocalDescription, withCandidates: boolean): string[] {
  return [
    `m=application 9 ${data.protocol} ${data.formats[0]}`,
    "c=IN IP4 0.0.0.0",
    ...transportLines(data, local, local.data ?? local.audio, withCandidates),
    `a=sctp-port:${local.sctpPort}`,
    `a=max-message-size:${local.maxMessageBytes}`,
  ];
}

function transportLines(
  section: OfferedSection,
  local: LocalDescription,
  transport: LocalTransport,
  withCandidates: boolean,
): string[] {
  return [
    ...midLine(section),
    ...(withCandidates ? transport.candidates.map((candidate) => `a=candidate:${candidate}`) : []),
    ...(withCandidates ? ["a=end-of-candidates"] : []),
    `a=ice-ufrag:${transport.usernameFragment}`,
    `a=ice-pwd:${transport.password}`,
    "a=ice-options:trickle",
    `a=fingerprint:${local.fingerprint}`,
    `a=setup:${transport.setup}`,
  ];
}

function rejectedLines(section: OfferedSection): string[] {
  return [
    `m=${section.media} 0 ${section.protocol} ${section.formats[0]}`,
    "c=IN IP4 0.0.0.0",
    ...midLine(section),
    ...firstCodec(section).map((codec) => `a=rtpmap:${codec}`),
    "a=inactive",
  ];
}

function firstCodec({ formats, attributes }: OfferedSection): string[] {
  return attributeValues(attributes, "rtpmap").filter((value) => value.startsWith(`${formats[0]} `));
}

function midLine({ mid, midOffered }: OfferedSection): string[] {
  return midOffered ? [`a=mid:${mid}`] : [];
}

const reversed: Readonly<Record<Direction, Direction>> = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
};
