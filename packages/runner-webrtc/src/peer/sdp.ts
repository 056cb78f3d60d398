import { RunnerError } from "@pipecat-ts/runner-core";

/** An SDP text, cut into its sections (RFC 8866). Only what WebRTC uses is kept: media lines and attributes. */
export interface Sdp {
  readonly attributes: readonly SdpAttribute[];
  readonly sections: readonly SdpSection[];
}

/** One `m=` line and what belongs to it. */
export interface SdpSection {
  /** `audio`, `video`, `application` or anything else. */
  readonly media: string;
  readonly port: number;
  /** `UDP/TLS/RTP/SAVPF` and the like. */
  readonly protocol: string;
  readonly formats: readonly string[];
  readonly attributes: readonly SdpAttribute[];
}

/** `a=name:value`; the value of a flag is empty. */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string;
}

/** The longest SDP that is looked at, in characters. A browser's is below 20,000 with camera and screen in it. */
const maxLength = 131_072;

/** Cuts an offer into its sections. Throws OFFER_INVALID when it is no SDP, naming the line. */
export function parseSdp(text: string): Sdp {
  if (text.length > maxLength) throw offerInvalid(`is ${text.length} characters long, above the ${maxLength} allowed`);
  const lines = text.split(/\r\n|\n|\r/);
  while (lines.at(-1) === "") lines.pop();
  if (lines[0] !== "v=0") throw offerInvalid(`begins with ${quote(lines[0] ?? "")} instead of "v=0", so it is no SDP`);
  const attributes: SdpAttribute[] = [];
  const sections: (SdpSection & { readonly attributes: SdpAttribute[] })[] = [];
  lines.forEach((line, index) => {
    if (line[1] !== "=") throw offerInvalid(`has ${quote(line)} in line ${index + 1}, which is no line of an SDP`);
    if (line[0] === "m") sections.push(parseMediaLine(line, index + 1));
    else if (line[0] === "a") (sections.at(-1)?.attributes ?? attributes).push(parseAttribute(line));
  });
  return { attributes, sections };
}

function parseMediaLine(line: string, number: number): SdpSection & { readonly attributes: SdpAttribute[] } {
  const match = line.match(/^m=([\w.-]+) (\d{1,5})(?:\/\d+)? (\S+) (\S.*)$/);
  const [, media, port, protocol, formats] = match ?? [];
  if (media === undefined || protocol === undefined || formats === undefined)
    throw offerInvalid(`has ${quote(line)} in line ${number}, which is no complete media line`);
  return { media, port: Number(port), protocol, formats: formats.trim().split(/ +/), attributes: [] };
}

function parseAttribute(line: string): SdpAttribute {
  const colon = line.indexOf(":");
  return colon < 0
    ? { name: line.slice(2).trim(), value: "" }
    : { name: line.slice(2, colon), value: line.slice(colon + 1).trim() };
}

/** The value of the first attribute of this name. */
export function attribute(attributes: readonly SdpAttribute[], name: string): string | undefined {
  return attributes.find((each) => each.name === name)?.value;
}

/** The values of all attributes of this name, in order. */
export function attributeValues(attributes: readonly SdpAttribute[], name: string): string[] {
  return attributes.filter((each) => each.name === name).map((each) => each.value);
}

/** The error for an offer that cannot be answered: `what` continues "The offer …". */
export function offerInvalid(
  what: string,
  fix = "Send the SDP as RTCPeerConnection made it, whole and unchanged.",
): RunnerError {
  return new RunnerError("OFFER_INVALID", `The offer ${what}.`, { fix });
}

/** Shown text of the caller's: short, and one line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
