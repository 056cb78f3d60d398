import {
  attribute,
  attributeValues,
  offerInvalid,
  parseSdp,
  quote,
  type Sdp,
  type SdpAttribute,
  type SdpSection,
} from "./sdp.ts";

/** What an offer asks for, checked: what the answer is written from and what the engine needs to know. */
export interface Offer {
  /** Every section in the offer's order. The answer has as many. */
  readonly sections: readonly OfferedSection[];
  /** The section that carries the call's voice. */
  readonly audio: OfferedAudio;
  /** The section for data channels, when there is one that can be served. */
  readonly data: OfferedData | undefined;
  /** The mids of the BUNDLE group that the audio is in (RFC 9143); empty where there is none. */
  readonly bundle: readonly string[];
  /** Whether the caller runs ICE in its lite form (RFC 8445, section 2.5). */
  readonly iceLite: boolean;
}

/** One section, served or not. */
export interface OfferedSection extends SdpSection {
  /** Its name in BUNDLE groups and candidates; made up where the offer has none. */
  readonly mid: string;
  readonly midOffered: boolean;
  /** Whether the caller wants it. */
  readonly open: boolean;
}

/** How the caller is reached and recognised. */
export interface OfferedTransport {
  readonly usernameFragment: string;
  readonly password: string;
  /** `sha-256 AB:CD…`; several where the caller gives its one certificate in several algorithms. */
  readonly fingerprints: readonly string[];
  /** Who opens DTLS (RFC 4145): `active` the caller, `passive` we, `actpass` as we like. */
  readonly setup: "active" | "passive" | "actpass";
  /** `a=candidate` values. */
  readonly candidates: readonly string[];
}

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface OfferedAudio extends OfferedSection, OfferedTransport {
  readonly opusPayloadType: number;
  /** The source the caller announces; browsers may leave it out. */
  readonly ssrc: number | undefined;
  readonly direction: Direction;
}

export interface OfferedData extends OfferedSection, OfferedTransport {
  readonly sctpPort: number;
  /** The largest message in bytes the caller takes (RFC 8841); Infinity when it takes any. */
  readonly maxMessageBytes: number;
}

/** Reads and checks an offer. Throws OFFER_INVALID (400) that says what is wrong with it. */
export function parseOffer(text: string): Offer {
  const sdp = parseSdp(text);
  if (sdp.sections.length > maxSections)
    throw offerInvalid(`has ${sdp.sections.length} sections, above ${maxSections}`);
  const sections = sdp.sections.map(describe);
  const mids = sections.map(({ mid }) => mid);
  if (new Set(mids).size < mids.length) throw offerInvalid("names two of its sections alike (a=mid)");
  const audioSection = sections.find((section) => section.media === "audio" && section.open);
  const dataSection = sections.find((section) => isData(section) && section.open);
  if (audioSection === undefined)
    throw offerInvalid("has no audio", "Add an audio track or transceiver before createOffer().");
  const bundle = findBundle(sdp, audioSection.mid);
  const served = bundle.filter((mid) => mid === audioSection.mid || mid === dataSection?.mid);
  const transportOf = (section: OfferedSection): OfferedTransport => {
    // The first served section of a bundle decides (RFC 9143, section 7.3.1); others may leave out what they share.
    const sharing = served.includes(section.mid) ? [...new Set([...served, ...bundle])] : [section.mid];
    return parseTransport(section.media, [
      ...sharing.flatMap((mid) => sdp.sections[mids.indexOf(mid)]?.attributes ?? []),
      ...sdp.attributes,
    ]);
  };
  return {
    sections,
    audio: { ...audioSection, ...transportOf(audioSection), ...parseAudio(audioSection, sdp) },
    data: dataSection && { ...dataSection, ...transportOf(dataSection), ...parseData(dataSection) },
    bundle,
    iceLite: attribute(sdp.attributes, "ice-lite") !== undefined,
  };
}

function findBundle(sdp: Sdp, mid: string): readonly string[] {
  const groups = attributeValues(sdp.attributes, "group").map((value) => value.split(/ +/));
  return groups.find(([kind, ...members]) => kind === "BUNDLE" && members.includes(mid))?.slice(1) ?? [];
}

function describe(section: SdpSection, index: number): OfferedSection {
  const mid = attribute(section.attributes, "mid") || undefined;
  return {
    ...section,
    mid: mid ?? `section-${index}`,
    midOffered: mid !== undefined,
    // A port of 0 refuses a section, unless it only waits for its bundle (RFC 9143, section 6).
    open: section.port !== 0 || attribute(section.attributes, "bundle-only") !== undefined,
  };
}

function isData(section: OfferedSection): boolean {
  return section.media === "application" && /(^|\/)DTLS\/SCTP$/.test(section.protocol);
}

function parseAudio(section: SdpSection, sdp: Sdp): Pick<OfferedAudio, "opusPayloadType" | "ssrc" | "direction"> {
  if (!/(^|\/)RTP\/SAVPF?$/.test(section.protocol))
    throw offerInvalid(`has audio over ${quote(section.protocol)}, which is not encrypted by DTLS`);
  const codecs = attributeValues(section.attributes, "rtpmap").map((value) => value.split(/ +/));
  const opus = codecs.find(([type, name]) => section.formats.includes(type ?? "") && /^opus\/48000/i.test(name ?? ""));
  if (opus === undefined)
    throw offerInvalid(
      `has no codec for audio that is spoken here, which is Opus: it has ${quote(codecs.map(([, name]) => name).join(", "))}`,
      "Offer opus/48000/2, as every browser does unless it is told otherwise.",
    );
  const source = attribute(section.attributes, "ssrc")?.match(/^\d+/)?.[0];
  return {
    opusPayloadType: Number(opus[0]),
    ssrc: source === undefined ? undefined : Number(source) >>> 0,
    direction: parseDirection(section) ?? parseDirection(sdp) ?? "sendrecv",
  };
}

function parseDirection({ attributes }: Pick<Sdp, "attributes">): Direction | undefined {
  const name = attributes.find((each) => /^(sendrecv|sendonly|recvonly|inactive)$/.test(each.name))?.name;
  return name as Direction | undefined;
}

function parseData(section: SdpSection): Pick<OfferedData, "sctpPort" | "maxMessageBytes"> {
  // Before RFC 8841 the port stood in place of the format.
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
  // RFC 8839, section 5.4: both from ice-chars, of at least 4 and 22 characters. WhatsApp's passwords end in "==" all the same.
  if (usernameFragment === undefined || !/^[\w+/=-]{4,256}$/.test(usernameFragment))
    throw offerInvalid(`has no a=ice-ufrag of 4 to 256 characters for its ${media}`);
  if (password === undefined || !/^[\w+/=-]{22,256}$/.test(password))
    throw offerInvalid(`has no a=ice-pwd of 22 to 256 characters for its ${media}`);
  const setup = attribute(attributes, "setup") ?? "actpass";
  if (setup !== "active" && setup !== "passive" && setup !== "actpass")
    throw offerInvalid(`has a=setup:${quote(setup)}, where active, passive or actpass is known`);
  return {
    usernameFragment,
    password,
    fingerprints: parseFingerprints(attributeValues(attributes, "fingerprint"), media),
    setup,
    candidates: attributeValues(attributes, "candidate"),
  };
}

/** More than any client has; what is done for each section must not add up. */
const maxSections = 64;

const digestLengths: Readonly<Record<string, number>> = { "sha-1": 20, "sha-256": 32, "sha-384": 48, "sha-512": 64 };

/** RFC 8122: one certificate may be given in several algorithms. Two values in one algorithm are two certificates. */
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
        `has two different ${name} fingerprints, so that it cannot be known who may answer`,
        "Use one certificate for the whole connection (bundlePolicy max-bundle).",
      );
    byAlgorithm.set(name, digest);
  }
  if (byAlgorithm.size === 0)
    throw offerInvalid(`has no a=fingerprint for its ${media}, without which nothing is encrypted`);
  return [...byAlgorithm].map(([name, digest]) => `${name} ${digest.toUpperCase()}`);
}
