import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { createDecoder, encodeMessage } from "../../packages/runner-websocket/src/codec.ts";

/** A request to both runners. Texts may contain `{name}`: the value that the last response with this name had. */
export interface ParityRequest {
  /** Method and path. `WS` opens a WebSocket. */
  readonly send: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body, as JSON. */
  readonly json?: unknown;
  /** The body as it is. */
  readonly text?: string;
  /** The fields of a multipart body. A field with a list is a file with this name and content. */
  readonly form?: Readonly<Record<string, string | readonly [name: string, content: string]>>;
  /** What a WebSocket sends: text, or an RTVI message in a protobuf frame. */
  readonly messages?: readonly (string | object)[];
  /** Headers of the response that count. */
  readonly show?: readonly string[];
  /** Whether only the status counts. */
  readonly statusOnly?: boolean;
}

/** What responses have said so far: `sessionId`, `socket` (the path of a URL for a WebSocket), `pcId`. */
export type Memory = Map<string, string>;

/** How long a request may take, in ms. */
const requestMs = 20_000;
/** How long a WebSocket may take to answer or to close, in ms. */
const socketMs = 1_500;

/**
 * Sends a request and describes the response: status, and the fields of JSON, the target of a redirect, or the type. The `code` that
 * our errors have beside `detail` does not count.
 */
export async function outcomeOf(origin: string, parityRequest: ParityRequest, memory: Memory): Promise<string> {
  const {
    send,
    headers = {},
    json,
    text,
    form,
    messages = [],
    show = [],
    statusOnly = false,
  } = fill(parityRequest, memory) as ParityRequest;
  const [method = "", path = ""] = send.split(" ");
  const url = new URL(path, origin);
  if (method === "WS") return await socketOutcome(url, headers, messages);
  const body = form ? formData(form) : json === undefined ? text : JSON.stringify(json);
  const response = await exchange(url, method, json === undefined ? headers : { ...jsonType, ...headers }, body);
  if (statusOnly) return String(response.status);
  const shown = show.map((name) => `${name}: ${response.headers[name] ?? "-"}`);
  return [response.status, describe(response, memory), ...shown].filter((part) => part !== "").join(" ");
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly content: string;
}

const jsonType = { "content-type": "application/json" };

/** Sends one request on a connection of its own. */
async function exchange(
  url: URL,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string | FormData | undefined,
): Promise<Reply> {
  const encoded = new Response(body);
  const bytes = Buffer.from(await encoded.arrayBuffer());
  const type = body instanceof FormData ? { "content-type": encoded.headers.get("content-type") ?? "" } : {};
  const length = body === undefined ? {} : { "content-length": bytes.length };
  const sent = request(url, {
    method,
    headers: { ...type, ...length, ...headers },
    agent: false,
    signal: AbortSignal.timeout(requestMs),
  });
  sent.end(bytes);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: Number(response.statusCode), headers: response.headers, content: await textOf(response) };
}

function fill(value: unknown, memory: Memory): unknown {
  if (typeof value === "string") return value.replaceAll(/\{(\w+)\}/g, (found, name) => memory.get(name) ?? found);
  if (Array.isArray(value)) return value.map((item) => fill(item, memory));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, memory)]));
}

function formData(fields: NonNullable<ParityRequest["form"]>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields))
    if (typeof value === "string") data.append(name, value);
    else data.append(name, new Blob([value[1]]), value[0]);
  return data;
}

function describe({ headers, content }: Reply, memory: Memory): string {
  const { location: target } = headers;
  if (target !== undefined) {
    const { href } = new URL(target, "http://runner/");
    return `→ ${href.replace(/^http:\/\/[^/]+/, "").replace(/pipecat-\w+$/, "pipecat-…")}`;
  }
  const type = headers["content-type"]?.split(";")[0] ?? "";
  if (type !== "application/json" || content === "") return content === "" ? "" : type;
  const value: unknown = JSON.parse(content);
  remember(value, memory);
  return shapeOf(value);
}

function remember(value: unknown, memory: Memory): void {
  const { sessionId, wsUrl, token, pc_id } = Object(value);
  if (typeof sessionId === "string") memory.set("sessionId", sessionId);
  if (typeof pc_id === "string") memory.set("pcId", pc_id);
  if (typeof wsUrl !== "string") return;
  const { pathname } = new URL(wsUrl);
  memory.set("socket", typeof token === "string" ? `${pathname}/${token}` : pathname);
}

/** The fields of a JSON value at all levels, each with its type unless it is a text; or the type of the value. */
function shapeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[${shapeOf(value[0])}]`;
  if (typeof value !== "object") return typeof value;
  const { code, ...rest } = value as Readonly<Record<string, unknown>>;
  const fields = Object.entries("detail" in rest ? rest : (value as object)).map(([key, item]) => {
    if (typeof item === "string") return key;
    return `${key}: ${key === "detail" ? "[…]" : shapeOf(item)}`;
  });
  return `{${fields.sort().join(", ")}}`;
}

/** The status of a rejection; or 101, the messages that arrive (type and keys of RTVI), and the code of a close. */
async function socketOutcome(
  url: URL,
  headers: Readonly<Record<string, string>>,
  messages: readonly (string | object)[],
): Promise<string> {
  url.protocol = "ws:";
  const socket = new WebSocket(url, { headers });
  const rejected = once(socket, "unexpected-response").then(([, response]) => Number(response.statusCode));
  const status = await Promise.race([rejected, once(socket, "open").then(() => 101)]);
  if (status !== 101) {
    socket.terminate();
    return String(status);
  }
  const parts = ["101"];
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const decoder = createDecoder(() => undefined);
  socket.on("message", (data, isBinary) => {
    const frame = decoder.decode(data as Buffer, isBinary);
    if (frame?.kind !== "message") return;
    const { type, data: fields } = Object(frame.message);
    parts.push(`${type} ${shapeOf(fields)}`);
    end();
  });
  socket.once("close", (code) => {
    parts.push(`closed ${code}`);
    end();
  });
  for (const message of messages) socket.send(typeof message === "string" ? message : encodeMessage(message));
  await Promise.race([over, sleep(socketMs)]);
  socket.terminate();
  return parts.join(" ");
}
