import { createHmac } from "node:crypto";
import { once } from "node:events";
import { type RequestOptions, request as sendRequest } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { LocalNode } from "@pipecat-ts/runner-gateway";
import { type Address, addressText, parseAddress } from "./address.ts";
import type { NodeReport } from "./directory.ts";

/** TLS with a pre-shared key: both sides prove that they have it, and everything is encrypted. Node offers such ciphers for TLS 1.2. */
const security = {
  ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
} as const;
/** How long a connection to another node may take, in ms. */
const connectMs = 3_000;
/** How long a client of the fleet's port may take to prove its key, in ms. */
const handshakeMs = 5_000;
/** The log says at most this often that clients failed to do so, in ms. */
const warnMs = 60_000;

/** `forward`: callers' requests. `control`: the commands of an operator, and lookups of claims. */
type Purpose = "forward" | "control";

/** A value that only owners of the fleet's secret can compute. */
export function derive(secret: string, label: string): Buffer {
  return createHmac("sha256", secret).update(label).digest();
}

/** Each start of a node has keys of its own, so that an address that another node took over does not get its requests. */
function identityOf(purpose: Purpose, node: string): string {
  return `${purpose}:${node}`;
}

/** Opens a connection to a node. Rejects with NODE_UNREACHABLE when the node does not answer, or cannot prove that it is this one. */
export function connectToNode(
  address: Address,
  secret: string,
  node: string,
  purpose: Purpose = "forward",
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const identity = identityOf(purpose, node);
    const socket = connect({
      ...security,
      ...address,
      pskCallback: () => ({ psk: derive(secret, identity), identity }),
      // The key has proved it, without certificates.
      checkServerIdentity: () => undefined,
    });
    const timer = setTimeout(() => socket.destroy(new Error("No answer within 3 s.")), connectMs);
    socket.on("error", (cause) => {
      clearTimeout(timer);
      reject(unreachable(address, cause));
    });
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** Whether a node accepts connections. */
export function answers({ id, address }: NodeReport, secret: string): Promise<boolean> {
  return connectToNode(parseAddress(address, "The directory of the fleet"), secret, id, "control").then(
    (connection) => !!connection.destroy(),
    () => false,
  );
}

/** Sends a request without a body over a `control` connection. Resolves to the status of the response. */
export async function sendControl(options: RequestOptions): Promise<number | undefined> {
  const sent = sendRequest({ ...options, headers: { host: "node" } }).end();
  // The connection may also fail between the head and the end of the response: without a listener, the process would end.
  sent.on("error", () => undefined);
  const [response] = await once(sent, "response");
  response.resume();
  return response.statusCode;
}

function unreachable(address: Address, cause: Error): RunnerError {
  return new RunnerError(
    "NODE_UNREACHABLE",
    `The machine of this session cannot be reached (${addressText(address)}).`,
    {
      fix: "Try again. If the session is unknown then, its machine has failed: start a new one.",
      cause,
    },
  );
}

export interface NodeServerOptions {
  readonly listen: Address;
  readonly secret: string;
  /** Answers what other nodes forward. */
  readonly node: LocalNode;
  /** An operator asks this node to drain. */
  onDrain(): void;
  /** Whether this node has claimed one of these hashed keys. */
  hasClaimed(keys: readonly string[]): boolean;
  readonly logger: Logger;
}

export interface NodeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens the port for the other nodes. Rejects with PORT_IN_USE, or OPTION_INVALID for an address of another machine. */
export async function openNodeServer({
  listen,
  secret,
  node,
  onDrain,
  hasClaimed,
  logger,
}: NodeServerOptions): Promise<NodeServer> {
  const identities = [identityOf("forward", node.id), identityOf("control", node.id)];
  const controls = new WeakSet<object>();
  const sockets = new Set<Socket>();
  let rejections = 0;
  let warnAtMs = 0;

  const server = createServer({
    ...security,
    handshakeTimeout: handshakeMs,
    pskCallback(socket, identity) {
      if (!identities.includes(identity)) return null;
      if (identity === identityOf("control", node.id)) controls.add(socket);
      return derive(secret, identity);
    },
  });
  server.on("connection", (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", (err, { remoteAddress }) => {
    rejections += 1;
    if (performance.now() < warnAtMs) return;
    warnAtMs = performance.now() + warnMs;
    const fix = "Give all nodes the same PIPECAT_FLEET_SECRET, and open the port for nodes only.";
    logger.warn(
      { client: remoteAddress, code: err.message.slice(0, 200), rejections, fix },
      "connection to the fleet's port rejected",
    );
  });
  server.on("request", (request, response) => {
    if (!controls.has(request.socket)) return node.request(request, response);
    const url = URL.parse(`http://node${request.url}`);
    const drains = request.method === "POST" && url?.pathname === "/drain";
    const claims =
      request.method === "GET" && url?.pathname === "/claims" && hasClaimed(url.searchParams.getAll("key"));
    response.writeHead(drains ? 202 : claims ? 200 : 404).end();
    if (drains) onDrain();
  });
  server.on("upgrade", (request, connection, head) => {
    if (controls.has(connection)) connection.destroy();
    else node.upgrade(request, connection, head);
  });
  try {
    await once(server.listen(listen.port, listen.host), "listening");
  } catch (cause) {
    throw listenError(listen, cause as NodeJS.ErrnoException);
  }

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function listenError(listen: Address, cause: NodeJS.ErrnoException): RunnerError {
  const address = addressText(listen);
  if (cause.code === "EADDRINUSE") {
    return new RunnerError("PORT_IN_USE", `The port for other nodes is in use: ${address}.`, {
      fix: "Stop the program that uses it, or choose another one with --fleet-listen host:port.",
      cause,
    });
  }
  return new RunnerError(
    "OPTION_INVALID",
    `--fleet-listen: this machine cannot listen on ${address} (${cause.message}).`,
    {
      fix: "Use an address of this machine, and a port above 1023.",
      cause,
    },
  );
}
