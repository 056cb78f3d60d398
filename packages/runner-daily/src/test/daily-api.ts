import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the stand-in saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a room was made with. */
export interface FakeRoom {
  readonly name: string;
  readonly url: string;
  readonly privacy: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** For tests: answers as Daily's REST API documents it, with status codes, error bodies and rate limit. */
export interface DailyApi extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  readonly rooms: ReadonlyMap<string, FakeRoom>;
  readonly pinlessUpdates: readonly Readonly<Record<string, unknown>>[];
  /** Answers the next requests whose `METHOD /path` begins so with this, once for each; `hang` does not answer. */
  failNext(request: string, ...answers: (FakeFailure | "hang")[]): void;
  /** Is told when a room is gone. */
  onRoomDeleted(listener: (name: string) => void): void;
}

export interface FakeFailure {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface DailyApiOptions {
  /** Where the rooms are: `http://127.0.0.1:1234`. */
  readonly roomOrigin?: string;
  /** Whether it takes no more than Daily does: 20 requests a second, 2 of them deletions. Default: it takes all. */
  readonly hasRateLimit?: boolean;
}

export const apiKey = "daily-key-0123456789abcdef";

/** What a token of the stand-in says. */
export function readToken(token: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
}

export async function openDailyApi(options: DailyApiOptions = {}): Promise<DailyApi> {
  const { roomOrigin = "https://test.daily.co", hasRateLimit = false } = options;
  const requests: SeenRequest[] = [];
  const rooms = new Map<string, FakeRoom>();
  const pinlessUpdates: Readonly<Record<string, unknown>>[] = [];
  const failures: { readonly request: string; readonly answer: FakeFailure | "hang" }[] = [];
  const listeners: ((name: string) => void)[] = [];

  /** Those taken during the last second. */
  let taken: { readonly isDeletion: boolean; readonly atMs: number }[] = [];
  function isTaken(isDeletion: boolean): boolean {
    const nowMs = performance.now();
    taken = taken.filter(({ atMs }) => nowMs - atMs < 1_000);
    if (taken.length === 20 || (isDeletion && taken.filter((each) => each.isDeletion).length === 2)) return false;
    taken.push({ isDeletion, atMs: nowMs });
    return true;
  }

  function answer({ method, path, authorization, body }: SeenRequest): FakeFailure {
    if (hasRateLimit && !isTaken(method === "DELETE")) return refusal(429, "rate-limit-error", "too many requests");
    if (authorization === undefined) return refusal(400, "authorization-header-error", "no authorization header");
    if (authorization !== `Bearer ${apiKey}`) return refusal(401, "authentication-error", `bad key ${authorization}`);
    if (method === "POST" && path === "/rooms") return createRoom(body);
    if (method === "POST" && path === "/meeting-tokens") {
      return { status: 200, body: { token: signedToken(body.properties) } };
    }
    if (method === "POST" && path === "/dialin/pinlessCallUpdate") {
      pinlessUpdates.push(body);
      return { status: 200, body: { ok: "true" } };
    }
    const name = path.match(/^\/rooms\/([^/]+)$/)?.[1] ?? "";
    const room = rooms.get(name);
    if (!room) return refusal(404, "not-found", `room ${name} not found`);
    if (method === "GET") return { status: 200, body: room };
    if (method !== "DELETE") return refusal(400, "invalid-request-error", "no such method");
    rooms.delete(name);
    for (const listener of listeners) listener(name);
    return { status: 200, body: { deleted: true, name } };
  }

  function createRoom(body: SeenRequest["body"]): FakeFailure {
    const {
      name = "random",
      privacy = "public",
      properties = {},
    } = body as Partial<Record<string, string>> & {
      readonly properties?: Record<string, unknown>;
    };
    if (rooms.has(name)) return refusal(400, "invalid-request-error", `a room named ${name} already exists`);
    const { exp, sip } = properties as { readonly exp?: unknown; readonly sip?: unknown };
    if (exp !== undefined && !Number.isInteger(exp))
      return refusal(400, "invalid-request-error", "exp must be integer");
    const config = { ...properties, ...(sip ? { sip_uri: { endpoint: `${name}.0@test.sip-us.daily.co` } } : {}) };
    const room = { id: `id-${name}`, name, api_created: true, privacy, url: `${roomOrigin}/${name}`, config };
    rooms.set(name, room);
    return { status: 200, body: room };
  }

  const server = createServer(async (request, response) => {
    const seen = await read(request);
    requests.push(seen);
    const planned = failures.findIndex(({ request: which }) => `${seen.method} ${seen.path}`.startsWith(which));
    const failure = planned < 0 ? undefined : failures.splice(planned, 1)[0]?.answer;
    if (failure !== "hang") send(response, failure ?? answer(seen));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    rooms,
    pinlessUpdates,
    failNext(request, ...answers) {
      failures.push(...answers.map((which) => ({ request, answer: which })));
    },
    onRoomDeleted: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

export function refusal(status: number, error: string, info: string): FakeFailure {
  return { status, body: { error, info } };
}

async function read(request: IncomingMessage): Promise<SeenRequest> {
  const text = Buffer.concat(await request.toArray()).toString();
  return {
    method: request.method ?? "",
    path: (request.url ?? "").replace(/^\/v1/, ""),
    authorization: request.headers.authorization,
    body: text === "" ? {} : JSON.parse(text),
  };
}

function send(response: ServerResponse, { status, body, headers = {} }: FakeFailure): void {
  // Without a connection kept alive, which would count as left open.
  response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
}

function signedToken(properties: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part(properties)}.c2lnbmF0dXJl`;
}
