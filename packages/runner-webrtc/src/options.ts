import { isIP, isIPv4 } from "node:net";
import { type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { parseIceServers } from "./peer/ice-servers.ts";
import type { IceServer, PeerOptions } from "./peer/peer.ts";

/** The settings of every WebRTC call, whichever plugin takes it. */
export interface CallSettings {
  readonly iceServers: readonly IceServer[];
  readonly relayOnly: boolean;
  readonly announceIp?: string;
  readonly udpPorts?: readonly [first: number, last: number];
  /** In seconds. */
  readonly callerTimeout: number;
}

/** The settings of the calls of one plugin. */
export interface CallsOptions extends CallSettings, Pick<PeerOptions, "hostAddress" | "opensDtls"> {}

/** The options of the webrtc transport. */
export interface WebRTCOptions extends CallSettings {
  /** The servers of the callers, where the bot uses others. Default: `iceServers`. */
  readonly callerIceServers?: readonly IceServer[];
  readonly esp32: boolean;
}

const urlOrUrls = Type.Union([Type.String(), Type.Array(Type.String())]);

/**
 * The flags and environment variables of `CallSettings`. A plugin with signaling of its own includes them in its options, so
 * that the same flags apply to all WebRTC calls.
 */
export const callOptions: OptionTable<CallSettings> = {
  iceServers: {
    flag: "ice-servers",
    env: "PIPECAT_ICE_SERVERS",
    placeholder: "servers",
    description:
      "STUN and TURN servers for the bot and its callers: URLs or JSON objects, several values or separated by commas",
    schema: Type.Array(
      Type.Object({
        urls: urlOrUrls,
        username: Type.Optional(Type.String()),
        credential: Type.Optional(Type.String()),
      }),
      {
        description:
          'a list of "stun:host:port" and {"urls": "turn:host:port", "username": "…", "credential": "…"}, separated by commas',
      },
    ),
    parse: parseIceServerList,
    default: [],
    secret: true,
  },
  relayOnly: {
    flag: "relay-only",
    env: "PIPECAT_RELAY_ONLY",
    description: "Reach callers only through the TURN servers",
    schema: Type.Boolean(),
    default: false,
  },
  announceIp: {
    flag: "announce-ip",
    env: "PIPECAT_ANNOUNCE_IP",
    placeholder: "address",
    description: "IP address at which callers reach this machine's UDP ports, when it is behind a 1:1 NAT",
    schema: Type.String({ description: "an IP address" }),
    parse: (text) => (isIP(text) === 0 ? undefined : text),
  },
  udpPorts: {
    flag: "udp-ports",
    env: "PIPECAT_UDP_PORTS",
    placeholder: "first-last",
    description: "Range of UDP ports to use; each caller needs a few",
    schema: Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
      minItems: 2,
      maxItems: 2,
      description: "two ports from 1 to 65535, the lower one first, such as 50000-50999",
    }),
    parse: parsePortRange,
  },
  callerTimeout: {
    flag: "caller-timeout",
    env: "PIPECAT_CALLER_TIMEOUT",
    placeholder: "seconds",
    description: "Seconds without a packet after which a WebRTC caller has left",
    schema: Type.Number({ minimum: 1 }),
    default: 10,
  },
};

export const webrtcOptions: OptionTable<WebRTCOptions> = {
  ...callOptions,
  callerIceServers: {
    ...callOptions.iceServers,
    flag: "caller-ice-servers",
    env: "PIPECAT_CALLER_ICE_SERVERS",
    description: "STUN and TURN servers for callers only; the bot uses those of --ice-servers (default: the same)",
    default: undefined,
  },
  esp32: {
    flag: "esp32",
    env: "PIPECAT_ESP32",
    description: "Send answers that ESP32 devices can parse; requires --host with the IP address that they reach",
    schema: Type.Boolean(),
    default: false,
  },
};

function parsePortRange(text: string): number[] | undefined {
  const [, first, last] = text.trim().match(/^(\d{1,5})-(\d{1,5})$/) ?? [];
  return Number(first) <= Number(last) ? [Number(first), Number(last)] : undefined;
}

/**
 * Parses ICE servers from the command line: bare URLs, JSON objects and JSON arrays of both, separated by commas. Keeps only
 * `urls`, `username` and `credential` of an object, because clients receive them. Throws when a part is not an ICE server.
 */
export function parseIceServerList(text: string): IceServer[] {
  const servers = splitAtCommas(text).flatMap((part) =>
    /^[[{]/.test(part) ? [JSON.parse(part)].flat().map(toIceServer) : [{ urls: part }],
  );
  parseIceServers(servers);
  return servers;
}

function toIceServer(value: unknown): IceServer {
  if (typeof value === "string") return { urls: value };
  const { urls, username, credential } = Object(value) as Readonly<Record<string, unknown>>;
  if (![urls].flat().every((url) => typeof url === "string")) throw new TypeError("An ICE server has no urls.");
  return {
    urls: urls as string | string[],
    ...(typeof username === "string" ? { username } : {}),
    ...(typeof credential === "string" ? { credential } : {}),
  };
}

/** Splits at commas that are neither in brackets nor in a JSON string. */
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

/** Checks what the schemas cannot. Throws OPTION_INVALID. */
export function checkSettings({
  iceServers,
  relayOnly,
  udpPorts,
}: Pick<PeerOptions, "iceServers" | "relayOnly" | "udpPorts">): void {
  const { turn } = parseIceServers(iceServers);
  if (relayOnly === true && turn.length === 0)
    throw new RunnerError("OPTION_INVALID", "--relay-only requires a TURN server.", {
      fix: "Add one with --ice-servers or PIPECAT_ICE_SERVERS.",
    });
  if (udpPorts !== undefined && udpPorts[0] > udpPorts[1])
    throw new RunnerError("OPTION_INVALID", `udpPorts is [${udpPorts.join(", ")}], which is not a range of ports.`, {
      fix: "Put the lower port first.",
    });
}

/**
 * The options with which answers suit Pipecat's ESP32 client: a single IPv4 host candidate, because the client resolves no
 * names, queries no STUN server, and checks one candidate pair after the other (https://github.com/pipecat-ai/pipecat-esp32).
 * All answers meet the client's other needs. `host` is the address that the server binds. Throws OPTION_INVALID when devices
 * cannot reach it.
 */
export function esp32Options(options: CallsOptions, host: string): CallsOptions {
  const { announceIp, relayOnly } = options;
  if (relayOnly)
    throw new RunnerError("OPTION_INVALID", "--esp32 and --relay-only cannot be combined.", {
      fix: "Remove one of them: ESP32 devices do not support TURN.",
    });
  const address = announceIp ?? host;
  if (!isIPv4(address) || /^(0|127)\./.test(address))
    throw new RunnerError("OPTION_INVALID", `--esp32: devices cannot reach this machine at "${address}".`, {
      fix: "Set --host to the IPv4 address of this machine in the devices' network, such as --host 192.168.1.100.",
    });
  return { ...options, iceServers: [], ...(announceIp === undefined ? { hostAddress: host } : {}) };
}
