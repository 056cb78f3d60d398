import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that the fake API received. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A room of the fake API. */
export interface FakeRoom {
  readonly name: string;
  readonly url: string;
  readonly privacy: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** A fake of Daily's REST API, with its documented status codes, error bodies and rate limits. */
export interface DailyApi extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  readonly rooms: ReadonlyMap<string, FakeRoom>;
  readonly pinlessUpdates: readonly Readonly<Record<string, unknown>>[];
  /** Answers the next requests whose `METHOD /path` starts with `request`, one answer each; `hang` never answers. */
  failNext(request: string, ...answers: (FakeFailure | "hang")[]): void;
  /** Called with the name of each deleted room. */
  onRoomDeleted(listener: (name: string) => void): void;
}

export interface FakeFailure {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface DailyApiOptions {
  /** The origin of room URLs: `http://127.0.0.1:1234`. */
  readonly roomOrigin?: string;
  /** Whether it has Daily's rate limits: 20 requests per second, and 2 deletions. Default false. */
  readonly hasRateLimit?: boolean;
}

export const apiKey = "daily-key-0123456789abcdef";

/** The claims of a token. */
export function readToken(token: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
}

export async function openDailyApi(options: DailyApiOptions = {}): Promise<DailyApi> {
  const { roomOrigin = "https://test.daily.co", hasRateLimit = false } = options;
  const requests: ReceivedRequest[] = [];
  const rooms = new Map<string, FakeRoom>();
  const pinlessUpdates: Readonly<Record<string, unknown>>[] = [];
  const failures: { readonly request: string; readonly answer: FakeFailure | "hang" }[] = [];
  const listeners: ((name: string) => void)[] = [];

  /** The accepted requests of the last second. */
  let accepted: { readonly isDeletion: boolean; readonly atMs: number }[] = [];
  function accept(isDeletion: boolean): boolean {
    const nowMs = performance.now();
    accepted = accepted.filter(({ atMs }) => nowMs - atMs < 1_000);
    if (accepted.length === 20 || (isDeletion && accepted.filter((each) => each.isDeletion).length === 2)) return false;
    accepted.push({ isDeletion, atMs: nowMs });
    return true;
  }

  function answer({ method, path, authorization, body }: ReceivedRequest): FakeFailure {
    if (hasRateLimit && !accept(method === "DELETE")) return refusal(429, "rate-limit-error", "too many requests");
    if (authorization === undefined) return refusal(400, "authorization-header-error", "no authorization header");
    if (authorization !== `Bearer ${apiKey}`) return refusal(401, "authentication-error", `bad key ${authorization}`);
    if (method === "POST" && path === "/rooms") return createRoom(body);
    if (method === "GET" && path === "/rooms?limit=1")
      return { status: 200, body: { data: [...rooms.values()].slice(0, 1) } };
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

  function createRoom(body: ReceivedRequest["body"]): FakeFailure {
    const {
      name = "random",
      privacy = "public",
      properties = {},
    } = body as Partial<Record<string, string>> & {
      readonly properties?: Record<string, unknown>;
    };
    if (rooms.has(name)) return refusal(400, "invalid-request-error", `a room named ${name} already exists`);
    const { exp, sip } = properties as { readonly exp?: unknown; readonly sip?: unknown };
    if (exp !== undefined && typeof exp !== "number")
      return refusal(400, "invalid-request-error", "exp must be number");
    const config = { ...properties, ...(sip ? { sip_uri: { endpoint: `${name}.0@test.sip-us.daily.co` } } : {}) };
    const created = { id: `id-${name}`, name, api_created: true, created_at: "2026-01-01T00:00:00.000Z" };
    const room = { ...created, privacy, url: `${roomOrigin}/${name}`, config };
    rooms.set(name, room);
    return { status: 200, body: room };
  }

  const server = createServer(async (request, response) => {
    const received = await read(request);
    requests.push(received);
    const line = `${received.method} ${received.path}`;
    const index = failures.findIndex((failure) => line.startsWith(failure.request));
    const failure = index < 0 ? undefined : failures.splice(index, 1)[0]?.answer;
    if (failure !== "hang") send(response, failure ?? answer(received));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    rooms,
    pinlessUpdates,
    failNext(request, ...answers) {
      failures.push(...answers.map((answer) => ({ request, answer })));
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

async function read(request: IncomingMessage): Promise<ReceivedRequest> {
  const text = Buffer.concat(await request.toArray()).toString();
  return {
    method: request.method ?? "",
    path: (request.url ?? "").replace(/^\/v1/, ""),
    authorization: request.headers.authorization,
    body: text === "" ? {} : JSON.parse(text),
  };
}

function send(response: ServerResponse, { status, body, headers = {} }: FakeFailure): void {
  // Keep-alive connections would count as leaks.
  response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
}

function signedToken(properties: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part(properties)}.c2lnbmF0dXJl`;
}
