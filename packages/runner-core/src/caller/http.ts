import { request as requestTls } from "node:https";

// Gateways load this module too. An import would load the code of `fetch`: 14 MB of memory.
const { request: requestPlain } = process.getBuiltinModule("node:http");

/** A complete HTTP response. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; `undefined` when it is not JSON. */
  readonly json: unknown;
}

/**
 * Sends one request on a new connection: `fetch` keeps connections alive, which would count as a leak. A string body is sent
 * unchanged, any other as JSON. Does not follow redirects.
 */
export function send(
  url: URL | string,
  options: {
    readonly method?: string;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Answer> {
  const { body, signal, method = "GET" } = options;
  const payload = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const headers = { ...(payload === undefined ? {} : { "content-type": "application/json" }), ...options.headers };
  const target = new URL(url);
  const request = target.protocol === "https:" ? requestTls : requestPlain;
  return new Promise((resolve, reject) => {
    const outgoing = request(target, { method, headers, agent: false, ...(signal && { signal }) }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: parse(text) });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(payload);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // `text` has the body
  }
}
