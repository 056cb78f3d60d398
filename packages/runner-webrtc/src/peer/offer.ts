import { RunnerError, type VideoSource } from "@pipecat-ts/runner-core";

/** A checked offer: what the answer is written from. */
export interface Offer {
  /** Every section in the offer's order. The answer has as many. */
  readonly sections: readonly OfferedSection[];
  /** The section that carries the caller's audio, and the bot's unless there is `playback`. */
  readonly audio: OfferedAudio;
  /** The section that carries the bot's audio, if the caller offers one section for each direction. In the bundle of `audio`. */
  readonly playback: OfferedAudio | undefined;
  /** The sections in which the caller can send VP8, in the bundle of `audio`. */
  readonly video: readonly OfferedVideo[];
  /** The section for data channels, if there is one that we support. */
  readonly data: OfferedData | undefined;
  /** The sections in the audio's BUNDLE group (RFC 9143), by mid. Empty if there is none. */
  readonly bundle: readonly string[];
  /** Whether the caller is an ICE lite agent (RFC 8445, section 2.5). */
  readonly iceLite: boolean;
}

/** One `m=` line with its attributes. Other lines are ignored. */
export interface OfferedSection {
  /** `audio`, `video`, `application` or anything else. */
  readonly media: string;
  readonly port: number;
  /** `UDP/TLS/RTP/SAVPF` and the like. */
  readonly protocol: string;
  readonly formats: readonly string[];
  readonly attributes: readonly SdpAttribute[];
  /** Its name in BUNDLE groups and candidates, generated if the offer has none. */
  readonly mid: string;
  readonly midOffered: boolean;
  /** False if the caller rejected the section. */
  readonly open: boolean;
}

/** `a=name:value`. The value of a flag is empty. */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string;
}

/** The caller's ICE and DTLS parameters. */
export interface OfferedTransport {
  readonly usernameFragment: string;
  readonly password: string;
  /** `sha-256 AB:CD…`. More than one if the caller hashed its certificate with several algorithms. */
  readonly fingerprints: readonly string[];
  /** The DTLS client (RFC 4145): `active` the caller, `passive` we, `actpass` either. */
  readonly setup: "active" | "passive" | "actpass";
  /** `a=candidate` values. */
  readonly candidates: readonly string[];
}

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface OfferedAudio extends OfferedSection, OfferedTransport {
  readonly opusPayloadType: number;
  /** The announced source. Browsers may leave it out. */
  readonly ssrc: number | undefined;
  readonly direction: Direction;
}

export interface OfferedVideo extends OfferedSection {
  readonly source: VideoSource;
  readonly vp8PayloadType: number;
  /** The announced source. Browsers may leave it out. */
  readonly ssrc: number | undefined;
  /** The id of the RTP header extension with the section's name (RFC 9143, section 15), if the caller can send it. */
  readonly midExtension: number | undefined;
}

export interface OfferedData extends OfferedSection, OfferedTransport {
  readonly sctpPort: number;
  /** The largest message that the caller accepts, in bytes (RFC 8841). Infinity if it accepts any. */
  readonly maxMessageBytes: number;
}

/** The longest accepted SDP, in characters. A browser's offer with camera and screen has fewer than 20,000. */
const maxLength = 131_072;

/** The maximum number of lines. Such an offer of Chromium with all codecs has fewer than 1,000. */
const maxLines = 4_000;

/** The maximum number of formats and codecs of a section that are read: RTP has 128 payload types. */
const maxCodecs = 128;

/** The longest name of a section, in characters. Browsers number them. */
const maxMidLength = 255;

/** The maximum number of candidates in the offer that are tried for each transport. */
const maxCandidates = 64;

/** The maximum number of sections, because the work per section adds up. Clients offer at most a dozen. */
const maxSections = 64;

/** Parses and checks an offer. Throws OFFER_INVALID (400) with the reason. */
export function parseOffer(text: string): Offer {
  const sdp = parseSdp(text);
  if (sdp.sections.length > maxSections)
    throw offerInvalid(`has ${sdp.sections.length} sections. The maximum is ${maxSections}`);
  const sections = sdp.sections.map(describe);
  if (sections.some(({ mid }) => mid.length > maxMidLength))
    throw offerInvalid(`has an a=mid of more than ${maxMidLength} characters`);
  const indexByMid = new Map(sections.map(({ mid }, index) => [mid, index]));
  if (indexByMid.size < sections.length) throw offerInvalid("has two sections with the same a=mid");
  const [audioSection, playbackSection] = findAudio(sections, sdp);
  const dataSection = sections.find((section) => isData(section) && section.open);
  if (audioSection === undefined)
    throw offerInvalid("has no audio", "Add an audio track or transceiver before createOffer().");
  const named = new Set(sections.filter(({ midOffered }) => midOffered).map(({ mid }) => mid));
  const bundle = findBundle(sdp, audioSection.mid).filter((mid) => named.has(mid));
  const served = bundle.filter((mid) => mid === audioSection.mid || mid === dataSection?.mid);
  const transportOf = (section: OfferedSection): OfferedTransport => {
    // The first served section of a bundle has the transport attributes (RFC 9143, section 7.3.1). Others may omit them.
    const sharing = served.includes(section.mid) ? new Set([...served, ...bundle]) : [section.mid];
    return parseTransport(section.media, [
      ...[...sharing].flatMap((mid) => sections[indexByMid.get(mid) ?? -1]?.attributes ?? []),
      ...sdp.attributes,
    ]);
  };
  const audio = { ...audioSection, ...transportOf(audioSection), ...parseAudio(audioSection, sdp) };
  const video = findVideo(sections, sdp).filter(
    ({ mid, vp8PayloadType }) => bundle.includes(mid) && vp8PayloadType !== audio.opusPayloadType,
  );
  return {
    sections,
    audio,
    playback: playbackSection && { ...audio, ...playbackSection, ...parseAudio(playbackSection, sdp) },
    video,
    data: dataSection && { ...dataSection, ...transportOf(dataSection), ...parseData(dataSection) },
    bundle,
    iceLite: attribute(sdp.attributes, "ice-lite") !== undefined,
  };
}

/** Whether audio and data share a transport. */
export function bundlesData({ audio, data, bundle }: Offer): boolean {
  return data !== undefined && bundle.includes(audio.mid) && bundle.includes(data.mid);
}

/** The section of the caller's audio, and the one of the bot's if they differ: one only sends, and the other receives. */
function findAudio(
  sections: readonly OfferedSection[],
  sdp: Sdp,
): readonly [audio?: OfferedSection | undefined, playback?: OfferedSection | undefined] {
  const offered = sections.filter(({ media, open }) => media === "audio" && open);
  const first = offered.find((section) => parseDirection(section, sdp) !== "inactive") ?? offered[0];
  const missing = first && opposite[parseDirection(first, sdp)];
  if (first === undefined || missing === undefined) return [first];
  const bundle = findBundle(sdp, first.mid);
  const second = offered.find((section) => {
    const fits = [missing, "sendrecv"].includes(parseDirection(section, sdp));
    return fits && section !== first && bundle.includes(section.mid) && findOpus(section) !== undefined;
  });
  return missing === "recvonly" ? [first, second] : [second ?? first, second && first];
}

const opposite: Readonly<Partial<Record<Direction, Direction>>> = { sendonly: "recvonly", recvonly: "sendonly" };

function findBundle(sdp: Sdp, mid: string): readonly string[] {
  const groups = attributeValues(sdp.attributes, "group").map((value) => value.split(/ +/));
  return [...new Set(groups.find(([kind, ...members]) => kind === "BUNDLE" && members.includes(mid))?.slice(1))];
}

function describe(section: SdpSection, index: number): OfferedSection {
  const mid = attribute(section.attributes, "mid") || undefined;
  return {
    ...section,
    mid: mid ?? `section-${index}`,
    midOffered: mid !== undefined,
    // Port 0 rejects a section, except with a=bundle-only (RFC 9143, section 6).
    open: section.port !== 0 || attribute(section.attributes, "bundle-only") !== undefined,
  };
}

function isData(section: OfferedSection): boolean {
  return section.media === "application" && /(^|\/)DTLS\/SCTP$/.test(section.protocol);
}

function parseAudio(section: SdpSection, sdp: Sdp): Pick<OfferedAudio, "opusPayloadType" | "ssrc" | "direction"> {
  if (!/(^|\/)RTP\/SAVPF?$/.test(section.protocol))
    throw offerInvalid(`has audio over ${quote(section.protocol)}, which is not encrypted with DTLS-SRTP`);
  const opusPayloadType = findOpus(section);
  if (opusPayloadType === undefined)
    throw offerInvalid(
      `has no Opus audio. Its codecs are ${quote(
        parseCodecs(section)
          .map(([, name]) => name)
          .join(", "),
      )}`,
      "Offer opus/48000/2, as browsers do by default.",
    );
  return { opusPayloadType, ssrc: parseSsrc(section), direction: parseDirection(section, sdp) };
}

/** The first video section is the camera, and the second the screen, as in Pipecat's SmallWebRTC clients. */
function findVideo(sections: readonly OfferedSection[], sdp: Sdp): OfferedVideo[] {
  const [camera, screen] = sections.filter(({ media }) => media === "video");
  const sources: Record<VideoSource, OfferedSection | undefined> = { camera, screen };
  return (["camera", "screen"] as const).flatMap((source) => {
    const section = sources[source];
    const vp8PayloadType = section && findCodec(section, /^vp8\/90000/i);
    if (section === undefined || vp8PayloadType === undefined || !section.open) return [];
    if (!/(^|\/)RTP\/SAVPF?$/.test(section.protocol) || !/^send/.test(parseDirection(section, sdp))) return [];
    return [{ ...section, source, vp8PayloadType, ssrc: parseSsrc(section), midExtension: findMidExtension(section) }];
  });
}

function findMidExtension({ attributes }: SdpSection): number | undefined {
  const pattern = /^(\d{1,3})(?:\/(?:sendrecv|sendonly))? urn:ietf:params:rtp-hdrext:sdes:mid$/;
  const [id] = attributeValues(attributes, "extmap").flatMap((value) => value.match(pattern)?.[1] ?? []);
  return id === undefined ? undefined : Number(id);
}

function parseSsrc(section: SdpSection): number | undefined {
  const source = attribute(section.attributes, "ssrc")?.match(/^\d+/)?.[0];
  return source === undefined ? undefined : Number(source) >>> 0;
}

function findOpus(section: SdpSection): number | undefined {
  return findCodec(section, /^opus\/48000/i);
}

/** The payload type of the first codec whose name matches. */
function findCodec(section: SdpSection, pattern: RegExp): number | undefined {
  const formats = new Set(section.formats);
  const codec = parseCodecs(section).find(([type = "", name = ""]) => formats.has(type) && pattern.test(name));
  return codec && Number(codec[0]);
}

/** The payload types and names of a section's codecs. */
function parseCodecs({ attributes }: SdpSection): string[][] {
  const values = attributeValues(attributes, "rtpmap").slice(0, maxCodecs);
  return values.map((value) => value.split(/ +/, 2));
}

/** The direction of a section, or else of the whole offer (RFC 8866, section 6.7). */
function parseDirection(section: SdpSection, sdp: Sdp): Direction {
  const [found] = [section, sdp].flatMap(({ attributes }) =>
    attributes.filter(({ name }) => /^(sendrecv|sendonly|recvonly|inactive)$/.test(name)),
  );
  return (found?.name ?? "sendrecv") as Direction;
}

function parseData(section: SdpSection): Pick<OfferedData, "sctpPort" | "maxMessageBytes"> {
  // Before RFC 8841, the format of the section was the port.
  const sctpPort = Number(attribute(section.attributes, "sctp-port") ?? section.formats[0]);
  const size = Number(attribute(section.attributes, "max-message-size") ?? 65_536);
  return {
    sctpPort: Number.isInteger(sctpPort) && sctpPort > 0 && sctpPort < 65_536 ? sctpPort : 5_000,
    maxMessageBytes: size > 0 ? size : size === 0 ? Number.POSITIVE_INFINITY : 65_536,
  };
}

function parseTransport(media: string, attributes: readonly SdpAttribute[]): OfferedTransport {
  const usernameFragment = attribute(attributes, "ice-ufrag");
  const password = attribute(attributes, "ice-pwd");
  // RFC 8839, section 5.4, allows letters, digits, "+" and "/". WhatsApp's passwords end in "==".
  if (usernameFragment === undefined || !/^[\w+/=-]{4,256}$/.test(usernameFragment))
    throw offerInvalid(`has no a=ice-ufrag of 4 to 256 characters for its ${media}`);
  if (password === undefined || !/^[\w+/=-]{22,256}$/.test(password))
    throw offerInvalid(`has no a=ice-pwd of 22 to 256 characters for its ${media}`);
  const setup = attribute(attributes, "setup") ?? "actpass";
  if (setup !== "active" && setup !== "passive" && setup !== "actpass")
    throw offerInvalid(`has a=setup:${quote(setup)}. Supported values are active, passive and actpass`);
  return {
    usernameFragment,
    password,
    fingerprints: parseFingerprints(attributeValues(attributes, "fingerprint"), media),
    setup,
    candidates: attributeValues(attributes, "candidate").slice(0, maxCandidates),
  };
}

const digestLengths: Readonly<Record<string, number>> = { "sha-1": 20, "sha-256": 32, "sha-384": 48, "sha-512": 64 };

/** RFC 8122: one certificate may have fingerprints by several algorithms. Two by the same algorithm are two certificates. */
function parseFingerprints(values: readonly string[], media: string): string[] {
  const byAlgorithm = new Map<string, string>();
  for (const value of values) {
    const [name = "", digest = ""] = value.toLowerCase().split(/ +/);
    const length = digestLengths[name];
    if (length === undefined) continue;
    if (!new RegExp(`^[0-9a-f]{2}(:[0-9a-f]{2}){${length - 1}}$`).test(digest))
      throw offerInvalid(`has a malformed fingerprint: ${quote(value)}`);
    if ((byAlgorithm.get(name) ?? digest) !== digest)
      throw offerInvalid(
        `has two different ${name} fingerprints, so the caller's certificate is ambiguous`,
        "Use one certificate for the whole connection (bundlePolicy max-bundle).",
      );
    byAlgorithm.set(name, digest);
  }
  if (byAlgorithm.size === 0) throw offerInvalid(`has no a=fingerprint for its ${media}, which encryption requires`);
  return [...byAlgorithm].map(([name, digest]) => `${name} ${digest.toUpperCase()}`);
}

/** An SDP (RFC 8866), reduced to media lines and attributes. */
interface Sdp {
  readonly attributes: readonly SdpAttribute[];
  readonly sections: readonly SdpSection[];
}

type SdpSection = Omit<OfferedSection, "mid" | "midOffered" | "open">;

/**
 * Splits an SDP into its sections. Throws OFFER_INVALID with the line that is not SDP.
 *
 * Not `sdp-transform` (3.0.0): it keeps one fingerprint per section, so that a second certificate goes unnoticed, drops lines it
 * does not recognize, and takes 110 ms for 128 KiB of `a=` lines, where this function takes 4 ms.
 */
function parseSdp(text: string): Sdp {
  if (text.length > maxLength) throw offerInvalid(`has ${text.length} characters. The maximum is ${maxLength}`);
  const lines = text.split(/\r\n|\n|\r/);
  while (lines.at(-1) === "") lines.pop();
  if (lines.length > maxLines) throw offerInvalid(`has ${lines.length} lines. The maximum is ${maxLines}`);
  if (lines[0] !== "v=0") throw offerInvalid(`is not SDP: it starts with ${quote(lines[0] ?? "")} instead of "v=0"`);
  const attributes: SdpAttribute[] = [];
  const sections: (SdpSection & { readonly attributes: SdpAttribute[] })[] = [];
  lines.forEach((line, index) => {
    if (line[1] !== "=") throw offerInvalid(`has ${quote(line)} in line ${index + 1}, which is not an SDP line`);
    if (line[0] === "m") sections.push(parseMediaLine(line, index + 1));
    else if (line[0] === "a") (sections.at(-1)?.attributes ?? attributes).push(parseAttribute(line));
  });
  return { attributes, sections };
}

function parseMediaLine(line: string, number: number): SdpSection & { readonly attributes: SdpAttribute[] } {
  const match = line.match(/^m=([\w.-]+) (\d{1,5})(?:\/\d+)? (\S+) (\S.*)$/);
  const [, media, port, protocol, formats] = match ?? [];
  if (media === undefined || protocol === undefined || formats === undefined)
    throw offerInvalid(`has ${quote(line)} in line ${number}, which is not a complete media line`);
  return { media, port: Number(port), protocol, formats: formats.trim().split(/ +/, maxCodecs), attributes: [] };
}

function parseAttribute(line: string): SdpAttribute {
  const colon = line.indexOf(":");
  return colon < 0
    ? { name: line.slice(2).trim(), value: "" }
    : { name: line.slice(2, colon), value: line.slice(colon + 1).trim() };
}

/** The value of the first attribute with this name. */
function attribute(attributes: readonly SdpAttribute[], name: string): string | undefined {
  return attributes.find((each) => each.name === name)?.value;
}

/** The values of all attributes with this name, in order. */
export function attributeValues(attributes: readonly SdpAttribute[], name: string): string[] {
  return attributes.filter((each) => each.name === name).map((each) => each.value);
}

/** The error for an offer that cannot be answered. `reason` continues "The offer …". */
export function offerInvalid(
  reason: string,
  fix = "Send the complete SDP that RTCPeerConnection created, unchanged.",
): RunnerError {
  return new RunnerError("OFFER_INVALID", `The offer ${reason}.`, { fix });
}

/** Quotes text of the caller in one short line. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
