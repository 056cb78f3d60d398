import { isIP } from "node:net";
import { type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { parseIceServerText } from "./ice-server-text.ts";
import { parseIceServers } from "./peer/ice-servers.ts";
import type { IceServer } from "./peer/peer.ts";

/** What can be set of every call by WebRTC, whichever plugin takes it. */
export interface CallSettings {
  readonly iceServers: readonly IceServer[];
  readonly relayOnly: boolean;
  readonly announceIp?: string;
  readonly udpPorts?: readonly [first: number, last: number];
  /** In seconds. */
  readonly callerTimeout: number;
}

/** What can be set of the webrtc transport. */
export interface WebRTCOptions extends CallSettings {
  readonly esp32: boolean;
}

const text = Type.Union([Type.String(), Type.Array(Type.String())]);

/**
 * The flags and variables of `CallSettings`: a plugin that takes calls in a way of its own puts them among its options, so
 * that they are the same for all.
 */
export const callOptions: OptionTable<CallSettings> = {
  iceServers: {
    flag: "ice-servers",
    env: "PIPECAT_ICE_SERVERS",
    placeholder: "servers",
    description: "STUN and TURN servers, for the bot and its callers: URLs or JSON objects, separated by commas",
    schema: Type.Array(
      Type.Object({ urls: text, username: Type.Optional(Type.String()), credential: Type.Optional(Type.String()) }),
      {
        description:
          'a list of "stun:host:port" and {"urls": "turn:host:port", "username": "…", "credential": "…"}, separated by commas',
      },
    ),
    parse: parseIceServerText,
    default: [],
    secret: true,
  },
  relayOnly: {
    flag: "relay-only",
    env: "PIPECAT_RELAY_ONLY",
    description: "Reach callers through the TURN servers alone",
    schema: Type.Boolean(),
    default: false,
  },
  announceIp: {
    flag: "announce-ip",
    env: "PIPECAT_ANNOUNCE_IP",
    placeholder: "address",
    description: "The IP address that callers reach this machine's UDP ports at, where it is not its own",
    schema: Type.String({ description: "an IP address" }),
    parse: parseIp,
  },
  udpPorts: {
    flag: "udp-ports",
    env: "PIPECAT_UDP_PORTS",
    placeholder: "first-last",
    description: "The UDP ports to use, a few for each caller",
    schema: Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
      minItems: 2,
      maxItems: 2,
      description: "two ports from 1 to 65535, the lower one first, as 50000-50999",
    }),
    parse: parsePorts,
  },
  callerTimeout: {
    flag: "caller-timeout",
    env: "PIPECAT_CALLER_TIMEOUT",
    placeholder: "seconds",
    description: "How long a caller by WebRTC may be away before its session ends",
    schema: Type.Number({ minimum: 1 }),
    default: 10,
  },
};

export const webrtcOptions: OptionTable<WebRTCOptions> = {
  ...callOptions,
  esp32: {
    flag: "esp32",
    env: "PIPECAT_ESP32",
    description: "Answer so that ESP32 devices understand it; give --host the IP address that they reach",
    schema: Type.Boolean(),
    default: false,
  },
};

function parseIp(given: string): string | undefined {
  return isIP(given) === 0 ? undefined : given;
}

function parsePorts(given: string): number[] | undefined {
  const [, first, last] = given.trim().match(/^(\d{1,5})-(\d{1,5})$/) ?? [];
  return Number(first) <= Number(last) ? [Number(first), Number(last)] : undefined;
}

/** Refuses what the table's schemas cannot: servers that are none, given in code. Throws OPTION_INVALID. */
export function checkSettings({ iceServers, relayOnly, udpPorts }: CallSettings): void {
  const { turn } = parseIceServers(iceServers);
  if (relayOnly && turn.length === 0)
    throw new RunnerError("OPTION_INVALID", "--relay-only was given, and no TURN server to relay.", {
      fix: "Name one by --ice-servers or PIPECAT_ICE_SERVERS.",
    });
  if (udpPorts !== undefined && udpPorts[0] > udpPorts[1])
    throw new RunnerError("OPTION_INVALID", `udpPorts goes from ${udpPorts[0]} down to ${udpPorts[1]}.`, {
      fix: "Give the lower port first.",
    });
}
