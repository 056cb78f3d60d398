import { RunnerError } from "@pipecat-ts/runner-core";
import type { IceServer } from "./peer-contract.ts";

/** ICE servers, a row for each URL. */
export interface IceServerAddresses {
  readonly stun: readonly ServerAddress[];
  readonly turn: readonly TurnServer[];
}

/** A host name or IP address, and a port. */
export type ServerAddress = readonly [host: string, port: number];

/** One URL of a TURN server. */
export interface TurnServer {
  readonly address: ServerAddress;
  /** How the server is spoken to; what it relays is UDP. */
  readonly transport: "udp" | "tcp" | "tls";
  readonly username: string;
  readonly credential: string;
}

// RFC 7064 and 7065: no slashes, an IPv6 address in brackets.
const shape = /^(stuns?|turns?):(\[[\da-f:.]+\]|[^\s:?/[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;

/**
 * Reads ICE servers as browsers write them. Throws OPTION_INVALID for a URL that is none, and for TURN without credentials.
 * `stuns:` is left to the callers: nothing is gained by asking for one's address over TLS.
 */
export function parseIceServers(servers: readonly IceServer[]): IceServerAddresses {
  const stun: ServerAddress[] = [];
  const turn: TurnServer[] = [];
  for (const server of servers) {
    for (const url of [server.urls].flat()) {
      const [, scheme, host = "", port, transport] = url.trim().match(shape) ?? [];
      if (scheme === undefined) throw serverInvalid(`"${withoutLogin(url)}" is no URL of a STUN or TURN server`);
      const secure = scheme.toLowerCase().endsWith("s");
      const address = [host.replace(/[[\]]/g, ""), Number(port ?? (secure ? 5_349 : 3_478))] as const;
      if (scheme.toLowerCase() === "stun") stun.push(address);
      else if (scheme.toLowerCase().startsWith("turn"))
        turn.push({
          address,
          transport: secure ? "tls" : transport?.toLowerCase() === "tcp" ? "tcp" : "udp",
          ...login(server, url),
        });
    }
  }
  return { stun, turn };
}

function login({ username, credential }: IceServer, url: string): Pick<TurnServer, "username" | "credential"> {
  if (!username || !credential) throw serverInvalid(`The TURN server "${url}" has no username and credential`);
  return { username, credential };
}

/** Other kinds of URL carry a login before an `@`, and so do mistaken ones of this kind. */
function withoutLogin(url: string): string {
  return url.replace(/^([a-z]+:)?.*@/is, "$1…@");
}

function serverInvalid(what: string): RunnerError {
  return new RunnerError("OPTION_INVALID", `${what}.`, {
    fix: 'Write it as "stun:host:3478", or as {"urls": "turn:host:3478?transport=udp", "username": "…", "credential": "…"}.',
  });
}
