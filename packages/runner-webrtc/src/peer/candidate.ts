import { isIP } from "node:net";
import type { Offer } from "./offer.ts";
import type { RemoteCandidate } from "./peer-contract.ts";

/** A way to the caller, and what it leads to: the data channel only where the two are not bundled. */
export interface IceCandidate extends ParsedCandidate {
  readonly transport: "audio" | "data";
}

/** A way to the caller, as it says itself (RFC 8839, section 5.1). UDP only. */
export interface ParsedCandidate {
  readonly foundation: string;
  readonly priority: number;
  /** An IP address, or a `.local` name that only the caller's own network knows. */
  readonly host: string;
  readonly port: number;
  readonly type: "host" | "srflx" | "relay";
  /** The ICE credentials it belongs to, where it says so. */
  readonly usernameFragment: string | undefined;
}

const shape =
  /^(?:a=)?(?:candidate:)?(\S{1,64}) 1 udp (\d{1,10}) (\S{1,255}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: |$)/i;

/** The candidate in `text`, or undefined when it is of no use here: another protocol, a made-up address, or no candidate. */
export function recogniseCandidate(text: string): ParsedCandidate | undefined {
  const [, foundation = "", priority, host = "", port, type = ""] = text.trim().match(shape) ?? [];
  const reachable = isIP(host) !== 0 ? isUnicast(host) : /^[\w-]{1,63}\.local$/i.test(host);
  const portNumber = Number(port);
  if (!reachable || !(portNumber > 0 && portNumber < 65_536)) return undefined;
  return {
    foundation,
    priority: Number(priority),
    host,
    port: portNumber,
    // What a caller learnt about itself from another peer, it may trickle as prflx; it is used like srflx.
    type: type.toLowerCase() === "host" ? "host" : type.toLowerCase() === "relay" ? "relay" : "srflx",
    usernameFragment: text.match(/ ufrag (\S+)/)?.[1],
  };
}

function isUnicast(host: string): boolean {
  return !/^(0\.0\.0\.0|2(2[4-9]|[3-5]\d)\.|::$|ff)/i.test(host);
}

/** What a caller trickled, and the transport it belongs to; undefined when it is of no use for this offer. */
export function locateCandidate(trickled: RemoteCandidate, offer: Offer): IceCandidate | undefined {
  const found = recogniseCandidate(trickled.candidate);
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
