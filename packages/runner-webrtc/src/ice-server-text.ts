import { parseIceServers } from "./peer/ice-servers.ts";
import type { IceServer } from "./peer/peer.ts";

/**
 * Reads ICE servers as people write them on a command line: bare URLs, JSON objects, JSON arrays of both, separated by
 * commas. Of an object `urls`, `username` and `credential` are kept. Throws when a part is none of these, or no server.
 */
export function parseIceServerText(text: string): IceServer[] {
  const servers = splitAtCommas(text).flatMap(parsePart);
  parseIceServers(servers);
  return servers;
}

function parsePart(part: string): IceServer[] {
  return /^[[{]/.test(part) ? [JSON.parse(part)].flat().map(toServer) : [{ urls: part }];
}

function toServer(value: unknown): IceServer {
  if (typeof value === "string") return { urls: value };
  const { urls, username, credential } = Object(value) as Readonly<Record<string, unknown>>;
  if (![urls].flat().every((url) => typeof url === "string")) throw new TypeError("An ICE server has no urls.");
  return {
    urls: urls as string | string[],
    ...(typeof username === "string" ? { username } : {}),
    ...(typeof credential === "string" ? { credential } : {}),
  };
}

/** The parts between the commas that stand neither in brackets nor in a JSON string. */
function splitAtCommas(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:\\.|[^"\\])*"|./gs)) {
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (token === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}
