import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { type DoctorCheck, type DoctorContext, type DoctorResult, isExposed } from "@pipecat-ts/runner-core";
import { checkSettings, esp32Options, type WebRTCOptions } from "./options.ts";
import { parseIceServers, type ServerAddress, type TurnServer } from "./peer/ice-servers.ts";
import { openUdpTransport } from "./peer/udp-transport.ts";

/** How long a datagram to this machine, or a server's response, may take, in ms. */
const responseMs = 2_000;
/** How long an allocation may take, in ms: TURN over TLS takes five round trips. */
const turnMs = 4_000;
/** Pause before a request over UDP is sent again, in ms. */
const repeatMs = 500;

/**
 * The checks of `pipecat-runner doctor`: UDP on this machine, and each STUN and TURN server of the bot and of its callers. With
 * `esp32`, the bot uses no server. Throws OPTION_INVALID.
 */
export function doctorChecks(options: WebRTCOptions, { settings }: DoctorContext): readonly DoctorCheck[] {
  checkSettings(options);
  const { iceServers } = options.esp32 ? esp32Options(options, settings.host) : options;
  const servers = parseIceServers([...iceServers, ...(options.callerIceServers ?? [])]);
  const [stun, turn] = [distinct(servers.stun), distinct(servers.turn)];
  const noTurn: DoctorResult = {
    state: "skipped",
    reason: "None is set. Callers whose network blocks UDP cannot connect.",
    fix: "Add one with --ice-servers.",
  };
  return [
    ...(options.relayOnly ? [] : [{ name: "UDP", run: () => checkUdp(options) }]),
    ...stun.map((server) => ({ name: `STUN server ${server.join(":")}`, run: () => checkStun(server) })),
    ...turn.map((server) => ({
      name: `TURN server ${server.address.join(":")} over ${server.transport}`,
      run: (signal: AbortSignal) => checkTurn(server, signal),
    })),
    ...(turn.length === 0 && !options.esp32 && isExposed(settings) ? [{ name: "TURN server", run: () => noTurn }] : []),
  ];
}

/** The bot and its callers may use the same servers. */
function distinct<Server>(servers: readonly Server[]): readonly Server[] {
  return [...new Map(servers.map((server) => [JSON.stringify(server), server])).values()];
}

/** Sends a datagram from one UDP port of this machine to another one. */
async function checkUdp({ udpPorts }: WebRTCOptions): Promise<DoctorResult> {
  const address = ownAddress();
  const receiver = await openUdpTransport(address, udpPorts);
  const sender = await openUdpTransport(address, undefined);
  try {
    const { port } = receiver.address;
    const payload = randomBytes(16);
    const arrived = new Promise<true>((resolve) => {
      receiver.onData = (data) => data.equals(payload) && resolve(true);
    });
    if (await repeat(() => sender.send(payload, [address, port]), arrived))
      return { state: "passed", detail: `a packet arrives at ${address}:${port}` };
    return {
      state: "failed",
      reason: `A packet from this machine does not arrive at its own port ${address}:${port}.`,
      fix: `Allow UDP in this machine's firewall${udpPorts ? `, ports ${udpPorts.join("-")}` : ", or a range of ports that you set with --udp-ports"}.`,
    };
  } finally {
    await Promise.all([receiver.close(), sender.close()]);
  }
}

/** The address of this machine in its network, else loopback. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

/** Sends a binding request (RFC 8489, section 5). */
async function checkStun([host, port]: ServerAddress): Promise<DoctorResult> {
  const { address, family } = await lookup(host);
  const socket = await openUdpTransport(family === 6 ? "::" : "0.0.0.0", undefined);
  try {
    const id = randomBytes(12);
    const request = Buffer.concat([Buffer.from("000100002112a442", "hex"), id]);
    const answered = new Promise<true>((resolve) => {
      socket.onData = (data) => data.length >= 20 && data.subarray(8, 20).equals(id) && resolve(true);
    });
    if (await repeat(() => socket.send(request, [address, port]), answered)) return { state: "passed" };
    const reason = `It does not respond within ${responseMs / 1_000} s.`;
    return { state: "failed", reason, fix: "Check its address, and that this network allows UDP to it." };
  } finally {
    await socket.close();
  }
}

async function checkTurn(server: TurnServer, signal: AbortSignal): Promise<DoctorResult> {
  // Importing a plugin must not load werift.
  const { allocate } = await import("./peer/werift/turn.ts");
  try {
    const allocation = await allocate(server, AbortSignal.any([signal, AbortSignal.timeout(turnMs)]));
    const [host, port] = allocation.turn.relayedAddress;
    await allocation.close();
    return { state: "passed", detail: `it allocates ${host}:${port}` };
  } catch (error) {
    const { name, message } = error as Error;
    const problem =
      name === "TimeoutError"
        ? `no response within ${turnMs / 1_000} s`
        : message || "it rejects the username or the credential";
    const reason = `It allocates no address: ${problem}.`;
    return {
      state: "failed",
      reason,
      fix: "Check its URL, username and credential, and that this network reaches it.",
    };
  }
}

/** Sends until `done` resolves. Resolves to false when it does not within 2 s. */
async function repeat(send: () => unknown, done: Promise<true>): Promise<boolean> {
  send();
  const timer = setInterval(send, repeatMs);
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timeout = setTimeout(resolve, responseMs, false);
  try {
    return await Promise.race([done, late]);
  } finally {
    clearInterval(timer);
    clearTimeout(timeout);
  }
}
