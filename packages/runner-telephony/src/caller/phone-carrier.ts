import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { RunnerError } from "@pipecat-ts/runner-core";
import { type Answer, callRejected, notRunner, send } from "@pipecat-ts/runner-core/caller";
import { type CallFacts, type CallOptions, type FarEnd, openCall, type PhoneCall } from "./phone-call.ts";

/** The protocol of one carrier, seen from the carrier: webhook, signatures, stream messages. Each carrier package has one. */
export interface PhoneDialect {
  /** The name of its transport. */
  readonly name: string;
  /** The path of its sockets. Default `/ws`. */
  readonly socketPath?: string;
  /** Ids for a new call, in the shape of the carrier's. Default: texts with a UUID. */
  newIds?(): Pick<CallFacts, "callId" | "streamId">;
  /** The signed webhook request for an incoming call. Without it, calls start on the socket. */
  webhook?(call: CallFacts, url: URL): PhoneRequest;
  /** The socket URL in the webhook's reply. Throws an Error when the reply rejects the call. */
  socketUrl?(answer: Answer): string;
  /** The headers of the upgrade request, such as a signature or credentials. */
  upgradeHeaders?(url: URL): Readonly<Record<string, string>>;
  /** The carrier's side of a media stream. */
  createFarEnd(call: CallFacts): FarEnd | Promise<FarEnd>;
  /** Answers a request to the REST API. `undefined`: 404. */
  api?(request: ApiRequest): ApiReply | undefined;
}

/** A webhook request. */
export interface PhoneRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request to the carrier's REST API. */
export interface ApiRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** When it arrived, on the scale of `performance.now()`, in ms. */
  readonly atMs: number;
  /** Whether the call with this id is live. */
  isLive(callId: string): boolean;
}

/** The response of the REST API, and its effect. */
export interface ApiReply {
  readonly status: number;
  readonly body?: string;
  /** The id of the call that the request ends. */
  readonly ends?: string;
}

/** A carrier on this machine, which places calls through the real routes. */
export interface FakeCarrier {
  /**
   * Requests the webhook, opens the socket that the reply names, and announces the call. Rejects, with nothing left open, when
   * the call is refused.
   */
  call(options: CallOptions): Promise<PhoneCall>;
  /** Opens the REST API, by default on any free port. A call that it ends gets the carrier's last message, and then its socket closes. */
  openApi(port?: number): Promise<FakeApi>;
}

/** Creates a carrier that speaks `dialect`. */
export function createFakeCarrier(dialect: PhoneDialect): FakeCarrier {
  const calls = new Map<string, PhoneCall>();

  return {
    async call(options) {
      const { at, publicUrl = at, socketUrl, from = "+15550100", to = "+15550199" } = options;
      const ids = dialect.newIds?.() ?? { callId: `call-${randomUUID()}`, streamId: `stream-${randomUUID()}` };
      const { callId = ids.callId } = options;
      const facts: CallFacts = { ...ids, callId, from, to, document: "" };
      const local = (url: URL) => localUrl(url, publicUrl, at);
      const reply = socketUrl === undefined ? await requestWebhook(facts, options, publicUrl, local) : undefined;
      const url = new URL(socketUrl ?? reply?.socketUrl ?? bareSocketUrl(publicUrl, dialect.socketPath));
      const headers = dialect.upgradeHeaders?.(url) ?? {};
      const known = { ...facts, document: reply?.document ?? "" };
      const call = await openCall(await dialect.createFarEnd(known), known, local(url), headers, options);
      calls.set(callId, call);
      void call.closed.then(() => calls.get(callId) === call && calls.delete(callId));
      return call;
    },
    openApi(port) {
      return openFakeApi((request) => {
        const reply = dialect.api?.({ ...request, isLive: (callId) => calls.has(callId) });
        const call = reply?.ends === undefined ? undefined : calls.get(reply.ends);
        if (call) void call.hangUp();
        return reply ?? { status: 404 };
      }, port);
    },
  };

  async function requestWebhook(facts: CallFacts, options: CallOptions, publicUrl: URL, local: (url: URL) => URL) {
    if (!dialect.webhook || !dialect.socketUrl) return undefined;
    const { at, path = `/${dialect.name}` } = options;
    const request = dialect.webhook(facts, new URL(`${publicUrl.href.replace(/\/$/, "")}${path}`));
    const answer = await send(local(request.url), {
      method: request.method,
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(request.headers ? { headers: request.headers } : {}),
    });
    const { code } = Object(answer.json) as { readonly code?: unknown };
    if (answer.status !== 200 && code !== undefined) throw callRejected(answer);
    const isPage = /^text\/html\b/.test(String(answer.headers["content-type"]));
    if (answer.status !== 200 || isPage) throw notRunner(at, `${request.method} ${path}`, answer.status);
    return { socketUrl: dialect.socketUrl(answer), document: answer.text };
  }
}

function bareSocketUrl(base: URL, path = "/ws"): URL {
  const url = new URL(`${base.href.replace(/\/$/, "")}${path}`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** Where a public URL is served on this machine. A proxy removes the path of the public URL. */
function localUrl(url: URL, publicUrl: URL, at: URL): URL {
  if (url.host !== publicUrl.host || publicUrl.host === at.host) return url;
  const scheme = /^ws/.test(url.protocol) ? at.protocol.replace("http", "ws") : at.protocol;
  const prefix = publicUrl.pathname.replace(/\/+$/, "");
  const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
  return new URL(`${scheme}//${at.host}${path}${url.search}`);
}

/** A carrier's REST API on this machine, which records requests. */
export interface FakeApi {
  readonly url: string;
  /** Every request, oldest first. */
  readonly requests: readonly Omit<ApiRequest, "isLive">[];
  close(): Promise<void>;
}

type Reply = ApiReply | undefined;

/**
 * Opens a REST API. `answer` returns the response; a request for which it returns `undefined` stays without one. Rejects with
 * PORT_IN_USE when something else listens on `port`.
 */
export async function openFakeApi(
  answer: (request: Omit<ApiRequest, "isLive">) => Reply | Promise<Reply>,
  port = 0,
): Promise<FakeApi> {
  const requests: Omit<ApiRequest, "isLive">[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const body = Buffer.concat(await incoming.toArray()).toString("utf8");
    const { method = "", url: path = "", headers } = incoming;
    const request = { method, path, headers, body, atMs: performance.now() };
    requests.push(request);
    const reply = await answer(request);
    if (reply) outgoing.writeHead(reply.status, { connection: "close" }).end(reply.body);
  });
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
    throw new RunnerError("PORT_IN_USE", `The REST API cannot be simulated: port ${port} is in use.`, {
      fix: "Wait until the other call has ended, or set the URL of the API to another port, also for the runner.",
      cause,
    });
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
