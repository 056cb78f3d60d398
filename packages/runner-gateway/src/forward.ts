import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { Fleet, Peer } from "./fleet.ts";
import { clientHeader, rejectedHeader } from "./headers.ts";
import type { Place } from "./members.ts";
import { ownerOf } from "./owner-id.ts";
import type { WorkerPool } from "./pool.ts";
import { namesInHead, valuesOfBody, valuesOfQuery } from "./request-owner.ts";
import type { WorkerProcess } from "./worker-process.ts";

// An import would load the code of `fetch` too: see `without-fetch.ts` of runner-host.
const { Agent, request: sendRequest } = process.getBuiltinModule("node:http");

/** Bodies of at most this many bytes are held in memory, to search them and to send them again. Runners read no larger ones by default. */
const maxHeld = 1024 * 1024;
/** How often a request is sent to another worker after one that is full. */
const maxAttempts = 3;
/** How many values of a request are looked up in the directory of the fleet. Webhooks have about 30. */
const maxAliases = 64;
/** Headers of one connection, and those that only gateway and worker use. */
const notForwarded: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  clientHeader,
  rejectedHeader,
]);

/** Where a request is sent. */
type Destination = WorkerProcess | Peer;

/** The worker, or the other node, of the session that the request's URL or token names. */
export async function findOwner(
  { sessions, get }: WorkerPool,
  fleet: Fleet | undefined,
  request: IncomingMessage,
): Promise<Destination | undefined> {
  const names = [...namesInHead(request)];
  for (const { text, isId } of names) {
    const number = sessions.ownerOf(text) ?? (isId ? sessions.findId(text) : undefined);
    const owner = number === undefined ? peerOf(fleet, text) : get(number);
    if (owner) return owner;
  }
  const ids = names.filter(({ text, isId }) => isId && !ownerOf(text)).map(({ text }) => `id:${text}`);
  return ids.length > 0 ? await fleet?.find(ids) : undefined;
}

/** The other node that an id of the runner names. */
function peerOf(fleet: Fleet | undefined, text: string): Peer | undefined {
  const owner = fleet && ownerOf(text);
  return owner && fleet.get(owner.node);
}

/**
 * The worker, or the other node, of a session or call that the query or the body names. Callers may have chosen an alias, such as a
 * call id, so it counts only while the worker answers.
 */
async function findSuggestion(
  { sessions, get }: WorkerPool,
  fleet: Fleet | undefined,
  request: IncomingMessage,
  body: Buffer,
): Promise<Destination | undefined> {
  const aliases = new Set<string>();
  for (const values of [valuesOfQuery(request), valuesOfBody(body, request.headers["content-type"])]) {
    for (const value of values) {
      const [owner, other] = [sessions.ownerOf(value), sessions.findAlias(value)];
      if (owner !== undefined && get(owner)) return get(owner);
      const worker = other === undefined ? undefined : get(other);
      if (worker && (await worker.isResponsive())) return worker;
      const peer = peerOf(fleet, value);
      if (peer) return peer;
      if (fleet && aliases.size < maxAliases) aliases.add(`alias:${value}`);
    }
  }
  return aliases.size > 0 ? await fleet?.find([...aliases]) : undefined;
}

export interface ForwardOptions {
  readonly pool: WorkerPool;
  /** The other nodes; `undefined` for a request that another node forwarded. */
  readonly fleet?: Fleet | undefined;
  /** New sessions go to other nodes if possible. */
  readonly isLeaving?: boolean;
  /** The response tells another node whether it is a rejection. */
  readonly tellsRejection?: boolean;
  /** The body of a request does not wait in memory. */
  streams(request: IncomingMessage): void;
  /** A full worker or node rejected a request, and it is sent to another one. */
  resent(): void;
  /** A request is sent to another node. */
  forwarded?(): void;
}

/**
 * Answers a request with the response of a worker or of another node. A session that the URL names decides about it. Otherwise, a
 * session or call that query or body name suggests one, or the pool chooses a worker. A request that such a worker rejects because it
 * is full is sent to another worker, and then to other nodes; only the worker decides whether it is.
 *
 * Rejects with AT_CAPACITY, DRAINING, WORKER_CRASHED when the worker ends before it responds, or NODE_UNREACHABLE.
 */
export async function forward(
  options: ForwardOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pool, fleet, isLeaving, streams, resent } = options;
  if (response.closed) return;
  const gone = new AbortController();
  const { signal } = gone;
  response.once("close", () => gone.abort());
  const reply = (answer: IncomingMessage) => pass(answer, response, options.tellsRejection === true);

  function send(destination: Destination, connection: Duplex, body?: Buffer): Promise<IncomingMessage> {
    if (isPeer(destination)) options.forwarded?.();
    return exchange(destination, connection, request, { body, streams, signal });
  }

  const owner = await findOwner(pool, fleet, request);
  if (owner) return reply(await send(owner, await owner.connect()));
  const body = await holdBody(request);

  /** Sends the request to another node. Resolves to undefined when the node is full or cannot be reached. */
  async function offer(peer: Peer): Promise<IncomingMessage | undefined> {
    const connection = await peer.connect().catch(() => undefined);
    const answer = connection && (await send(peer, connection, body));
    if (!isRejection(answer)) return answer;
    answer.destroy();
    return undefined;
  }

  async function offerAll(): Promise<IncomingMessage | undefined> {
    if (body === undefined) return undefined;
    for (const peer of fleet?.candidates() ?? []) {
      const answer = await offer(peer);
      if (answer) return answer;
    }
    return undefined;
  }

  const suggested = body && (await findSuggestion(pool, fleet, request, body));
  /** A request that names a session of this node stays here. */
  const offersFirst = isLeaving === true && (!suggested || isPeer(suggested));
  const early = (isPeer(suggested) && (await offer(suggested))) || (offersFirst && (await offerAll()));
  if (early) return reply(early);
  let place: Place;
  try {
    place = suggested && !isPeer(suggested) ? { worker: suggested, release: () => undefined } : await pool.pick();
  } catch (error) {
    const answer = offersFirst ? undefined : await offerAll();
    if (!answer) throw error;
    return reply(answer);
  }
  try {
    for (let attempt = 1; ; attempt++) {
      const { worker } = place;
      const answer = await send(worker, worker.connect(), body);
      if (!isRejection(answer) || body === undefined || attempt === maxAttempts) return reply(answer);
      place.release();
      try {
        place = await pool.place();
      } catch {
        const other = offersFirst ? undefined : await offerAll();
        if (!other) return reply(answer); // Nobody else has a place: this rejection is the response.
        answer.destroy();
        resent();
        return reply(other);
      }
      answer.destroy();
      resent();
    }
  } finally {
    if (response.closed) place.release();
    else response.once("close", place.release);
  }
}

export function isPeer(destination: Destination | undefined): destination is Peer {
  return destination !== undefined && !("number" in destination);
}

function isRejection(answer: IncomingMessage | undefined): answer is IncomingMessage {
  return answer?.headers[rejectedHeader] !== undefined;
}

/** The body; `undefined` for one that is too large to be held, or an upload. Its bytes then wait in the request. */
async function holdBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const { "content-length": length, "content-type": type = "" } = request.headers;
  if (Number(length) > maxHeld || /^multipart\//i.test(type)) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > maxHeld) {
      request.unshift(Buffer.concat(chunks));
      return undefined;
    }
  }
  return Buffer.concat(chunks);
}

/** Sends the request on this connection, and returns the response. Without `body`, the body is sent as it arrives. */
function exchange(
  destination: Destination,
  connection: Duplex,
  request: IncomingMessage,
  {
    body,
    streams,
    signal,
  }: Pick<ForwardOptions, "streams"> & {
    readonly body?: Buffer | undefined;
    /** The caller is gone. */
    readonly signal: AbortSignal;
  },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url } = request;
    const headers = headersFor(request, body);
    // A connection for each request: one that is kept open may close just when a request is sent.
    const agent = new Agent();
    agent.createConnection = () => connection;
    let sent: ClientRequest;
    try {
      sent = sendRequest({ method, path: url, headers, agent, signal });
    } catch (error) {
      connection.destroy(); // The agent did not take it.
      throw error;
    }
    sent.once("response", (answer) => {
      // The worker may respond, and close the connection, before it has read the body.
      sent.on("error", () => answer.destroy());
      resolve(answer);
    });
    sent.once("error", (cause) => reject(isPeer(destination) ? nodeFailed(cause) : workerCrashed(cause)));
    if (body) return void sent.end(body);
    streams(request);
    request.pipe(sent);
  });
}

function headersFor({ rawHeaders, headers, socket }: IncomingMessage, body: Buffer | undefined): string[] {
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (!notForwarded.has(name.toLowerCase())) kept.push(name, value);
  }
  const hasLength = headers["content-length"] !== undefined;
  const isChunked = headers["transfer-encoding"] !== undefined;
  if (body && isChunked && !hasLength) kept.push("Content-Length", String(body.length));
  else if (isChunked) kept.push("Transfer-Encoding", "chunked");
  // The gateway closes the connection. If a worker did, a last write to it would fail, and its response would be lost.
  kept.push(clientHeader, socket.remoteAddress ?? "", "Connection", "keep-alive");
  return kept;
}

function pass(answer: IncomingMessage, response: ServerResponse, tellsRejection: boolean): void {
  const { statusCode = 502, statusMessage, rawHeaders } = answer;
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (!notForwarded.has(name.toLowerCase())) headers.push(name, value);
  }
  if (tellsRejection && isRejection(answer)) headers.push(rejectedHeader, "1");
  response.writeHead(statusCode, statusMessage, headers);
  // A worker that ends in the middle of a response: the caller must not take it for a complete one.
  answer.once("error", () => response.destroy());
  answer.once("aborted", () => response.destroy());
  answer.pipe(response);
}

function workerCrashed(cause: unknown): RunnerError {
  return new RunnerError("WORKER_CRASHED", "The process that handled this request ended.", {
    fix: "Start a new session: this one, if there was one, has ended.",
    cause,
  });
}

function nodeFailed(cause: unknown): RunnerError {
  return new RunnerError("NODE_UNREACHABLE", "The connection to the machine that handled this request ended.", {
    fix: "Try again. If the session is unknown then, its machine has failed: start a new one.",
    cause,
  });
}
