import type { VideoSource } from "@pipecat-ts/runner-core";
import {
  attributeValues,
  type Direction,
  type Offer,
  type OfferedAudio,
  type OfferedData,
  type OfferedSection,
  type OfferedVideo,
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
  /** Whether to accept the caller's video. */
  readonly acceptsVideo: boolean;
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
 * Writes the answer (RFC 8829, section 5.3): one section for each offered section. Other media in the bundle of the audio is
 * answered with the shared transport and `a=inactive`, because a rejected section (port 0) breaks clients: Chromium if it is the
 * first one of the bundle, aiortc in every place, and Pipecat's JavaScript client when the camera is turned on. All other
 * sections are rejected.
 *
 * Pipecat's ESP32 client requires one fingerprint algorithm, candidates once per transport, lines shorter than 256 characters
 * and CRLF (https://github.com/pipecat-ai/pipecat-esp32, https://github.com/sepfy/libpeer).
 */
export function writeAnswer(offer: Offer, local: LocalDescription): string {
  const { audio, playback, data } = offer;
  const answered = new Map<string, (withCandidates: boolean) => string[]>();
  for (const section of offer.sections)
    if (section.open && isMedia(section) && offer.bundle.includes(section.mid))
      answered.set(section.mid, (withCandidates) => inactiveLines(section, local, withCandidates));
  for (const section of local.acceptsVideo ? offer.video : [])
    answered.set(section.mid, (withCandidates) => videoLines(section, local, withCandidates));
  if (data !== undefined) answered.set(data.mid, (withCandidates) => dataLines(data, local, withCandidates));
  answered.set(audio.mid, (withCandidates) =>
    audioLines(audio, local, withCandidates, playback === undefined ? reversed[audio.direction] : "recvonly"),
  );
  if (playback !== undefined)
    answered.set(playback.mid, (withCandidates) => audioLines(playback, local, withCandidates, "sendonly"));
  const bundle = offer.bundle.filter((mid) => answered.has(mid));
  const bundled = new Set(bundle.slice(1));
  const lines = [
    "v=0",
    `o=- ${local.ssrc} ${local.version} IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    ...(bundle.length === 0 ? [] : [`a=group:BUNDLE ${bundle.join(" ")}`]),
    "a=msid-semantic:WMS *",
    ...offer.sections.flatMap((section) => {
      const write = answered.get(section.mid) ?? (() => rejectedLines(section));
      return write(!bundled.has(section.mid));
    }),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** Whether a section carries RTP, encrypted with DTLS-SRTP. */
function isMedia({ protocol }: OfferedSection): boolean {
  return /(^|\/)RTP\/SAVPF?$/.test(protocol);
}

function audioLines(
  audio: OfferedAudio,
  local: LocalDescription,
  withCandidates: boolean,
  direction: Direction,
): string[] {
  const type = audio.opusPayloadType;
  const sends = direction === "sendrecv" || direction === "sendonly";
  return [
    `m=audio 9 ${audio.protocol} ${type}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transportLines(audio, local, local.audio, withCandidates),
    `a=${direction}`,
    // Without an msid, a browser's `track` event has no stream.
    ...(sends ? ["a=msid:bot voice"] : []),
    "a=rtcp-mux",
    `a=rtpmap:${type} opus/48000/2`,
    `a=fmtp:${type} minptime=10;useinbandfec=1`,
    ...(sends ? [`a=ssrc:${local.ssrc} cname:bot`] : []),
  ];
}

/** The bitrates that we ask of the caller, in kbit/s: enough for pictures, and at most 400 packets per second. */
const videoBitrates: Readonly<Record<VideoSource, number>> = { camera: 1_000, screen: 2_500 };

function videoLines(video: OfferedVideo, local: LocalDescription, withCandidates: boolean): string[] {
  const { vp8PayloadType: type, midExtension } = video;
  return [
    `m=video 9 ${video.protocol} ${type}`,
    "c=IN IP4 0.0.0.0",
    `b=AS:${videoBitrates[video.source]}`,
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transportLines(video, local, local.audio, withCandidates),
    "a=recvonly",
    "a=rtcp-mux",
    `a=rtpmap:${type} VP8/90000`,
    // Chromium would start at 300 kbit/s, and halve width and height of the first pictures.
    `a=fmtp:${type} x-google-start-bitrate=${videoBitrates[video.source]}`,
    `a=rtcp-fb:${type} nack pli`,
    // Tells packets of the camera from those of the screen.
    ...(midExtension === undefined ? [] : [`a=extmap:${midExtension} urn:ietf:params:rtp-hdrext:sdes:mid`]),
  ];
}

function inactiveLines(section: OfferedSection, local: LocalDescription, withCandidates: boolean): string[] {
  return [
    `m=${section.media} 9 ${section.protocol} ${namedFormat(section)}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transportLines(section, local, local.audio, withCandidates),
    "a=inactive",
    "a=rtcp-mux",
    ...codecLines(section, namedFormat(section)),
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
    `m=${section.media} 0 ${section.protocol} ${namedFormat(section)}`,
    "c=IN IP4 0.0.0.0",
    ...midLine(section),
    ...codecLines(section, namedFormat(section)),
    "a=inactive",
  ];
}

/** The first format of a section with a named codec. Pipecat's iOS client removes codecs, and leaves their formats. */
function namedFormat({ formats, attributes }: OfferedSection): string | undefined {
  const named = new Set(attributeValues(attributes, "rtpmap").map((value) => value.split(" ", 1)[0]));
  return formats.find((format) => named.has(format)) ?? formats[0];
}

/** The name and parameters of a format's codec. */
function codecLines({ attributes }: OfferedSection, format: string | undefined): string[] {
  return ["rtpmap", "fmtp"].flatMap((name) =>
    attributeValues(attributes, name)
      .filter((value) => value.startsWith(`${format} `))
      .slice(0, 1)
      .map((value) => `a=${name}:${value}`)
      .filter((line) => line.length < maxLineLength),
  );
}

function midLine({ mid, midOffered }: OfferedSection): string[] {
  return midOffered ? [`a=mid:${mid}`] : [];
}

/** The ESP32 client's limit. */
const maxLineLength = 256;

const reversed: Readonly<Record<Direction, Direction>> = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
};
