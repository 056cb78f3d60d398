import { isIPv4 } from "node:net";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { CallsOptions } from "./calls.ts";

/**
 * How calls are answered so that Pipecat's ESP32 client understands it, `host` being what the server listens on: with one
 * address to reach, which stands in the answer as an IPv4 host candidate, because the client looks no name up, asks no
 * STUN server, and checks one pair after the other (https://github.com/pipecat-ai/pipecat-esp32). What else the client
 * needs, every answer has: see `writeAnswer`. Throws OPTION_INVALID when there is no such address.
 */
export function optionsForDevices(options: CallsOptions, host: string): CallsOptions {
  const { announceIp, relayOnly } = options;
  if (relayOnly)
    throw new RunnerError("OPTION_INVALID", "--esp32 was given together with --relay-only.", {
      fix: "Leave one of them out: ESP32 devices speak to no TURN server.",
    });
  const address = announceIp ?? host;
  if (!isIPv4(address) || /^(0|127)\./.test(address))
    throw new RunnerError("OPTION_INVALID", `--esp32 was given, and no ESP32 device can reach "${address}".`, {
      fix: "Give --host the IPv4 address that this machine has in the devices' network, like --host 192.168.1.100.",
    });
  return { ...options, iceServers: [], ...(announceIp === undefined ? { hostAddress: host } : {}) };
}
