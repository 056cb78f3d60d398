import { isIP } from "node:net";
import type { Offer } from "./offer.ts";
import type { RemoteCandidate } from "./peer-contract.ts";

/** A remote candidate and the transport that it belongs to: `data` only if the two are not bundled. */
export interface IceCandidate extends ParsedCandidate {
  readonly transport: "audio" | "data";
}

/** A parsed UDP candidate (RFC 8839, section 5.1). */
export interface ParsedCandidate {
  readonly foundation: string;
  readonly priority: number;
  /** An IP address, or a `.local` name (mDNS). */
  readonly host: string;
  readonly port: number;
  readonly type: "host" | "srflx" | "relay";
  /** The `ufrag` extension: the ICE generation that the candidate belongs to. */
  readonly usernameFragment: string | undefined;
}

/** The longest candidate that is parsed, in characters. Those of browsers have at most 200. */
const maxLength = 1_000;

const shape =
  /^(?:a=)?(?:candidate:)?(\S{1,64}) 1 udp (\d{1,10}) (\S{1,255}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: |$)/i;

/** Parses a candidate. Returns undefined if it is malformed, too long, not UDP, or not a unicast address. */
export function parseCandidate(text: string): ParsedCandidate | undefined {
  if (text.length > maxLength) return undefined;
  const [, foundation = "", priority, host = "", port, type = ""] = text.trim().match(shape) ?? [];
  const reachable = isIP(host) !== 0 ? isUnicast(host) : /^[\w-]{1,63}\.local$/i.test(host);
  const portNumber = Number(port);
  if (!reachable || !(portNumber > 0 && portNumber < 65_536)) return undefined;
  return {
    foundation,
    priority: Number(priority),
    host,
    port: portNumber,
    // A caller may trickle a peer-reflexive candidate that it learned from another peer. It is used like srflx.
    type: type.toLowerCase() === "host" ? "host" : type.toLowerCase() === "relay" ? "relay" : "srflx",
    usernameFragment: text.match(/ ufrag (\S+)/)?.[1],
  };
}

function isUnicast(host: string): boolean {
  return !/^(0\.0\.0\.0|2(2[4-9]|[3-5]\d)\.|::$|ff)/i.test(host);
}

/** Parses a candidate and finds its transport. Returns undefined if it is unusable or does not belong to this offer. */
export function locateCandidate(trickled: RemoteCandidate, offer: Offer): IceCandidate | undefined {
  const found = parseCandidate(trickled.candidate);
  const { audio, data, sections } = offer;
  const section =
    sections.find(({ mid }) => mid === trickled.sdpMid) ??
    (trickled.sdpMLineIndex === undefined ? audio : sections[trickled.sdpMLineIndex]);
  if (found === undefined || section === undefined) return undefined;
  const shared = section.mid === audio.mid || offer.bundle.includes(section.mid);
  if (!shared && section.mid !== data?.mid) return undefined;
  const { usernameFragment } = shared ? audio : (data ?? audio);
  const stale = found.usernameFragment !== undefined && found.usernameFragment !== usernameFragment;
  return stale ? undefined : { ...found, transport: shared ? "audio" : "data" };
}
