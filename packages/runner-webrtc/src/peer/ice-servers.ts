import { RunnerError } from "@pipecat-ts/runner-core";
import type { IceServer } from "./peer-contract.ts";

/** ICE servers, one entry per URL. */
export interface IceServerAddresses {
  readonly stun: readonly ServerAddress[];
  readonly turn: readonly TurnServer[];
}

/** A host name or IP address, and a port. */
export type ServerAddress = readonly [host: string, port: number];

/** One URL of a TURN server. */
export interface TurnServer {
  readonly address: ServerAddress;
  /** The protocol to the server. The relayed protocol is always UDP. */
  readonly transport: "udp" | "tcp" | "tls";
  readonly username: string;
  readonly credential: string;
}

// RFC 7064 and 7065: without slashes, IPv6 addresses in brackets.
const shape = /^(stuns?|turns?):(\[[\da-f:.]+\]|[^\s:?/[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;

/**
 * Parses ICE servers in the shape of `RTCIceServer`. Throws OPTION_INVALID for a malformed URL and for TURN without credentials.
 * Ignores `stuns:` servers, which only callers use: querying an address over TLS has no advantage for us.
 */
export function parseIceServers(servers: readonly IceServer[]): IceServerAddresses {
  const stun: ServerAddress[] = [];
  const turn: TurnServer[] = [];
  for (const server of servers) {
    for (const url of [server.urls].flat()) {
      const [, scheme, host = "", port, transport] = url.trim().match(shape) ?? [];
      if (scheme === undefined) throw serverInvalid(`"${withoutLogin(url)}" is not a STUN or TURN URL`);
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
  if (!username || !credential) throw serverInvalid(`The TURN server "${url}" needs a username and a credential`);
  return { username, credential };
}

/** Removes credentials before an `@`, which a malformed URL may contain, so that errors do not show them. */
function withoutLogin(url: string): string {
  return url.replace(/^([a-z]+:)?.*@/is, "$1…@");
}

function serverInvalid(problem: string): RunnerError {
  return new RunnerError("OPTION_INVALID", `${problem}.`, {
    fix: 'Write it as "stun:host:3478", or as {"urls": "turn:host:3478?transport=udp", "username": "…", "credential": "…"}.',
  });
}
