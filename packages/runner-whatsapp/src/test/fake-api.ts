import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A request that the fake API received. */
export interface ApiRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: {
    readonly messaging_product: string;
    readonly action: "pre_accept" | "accept" | "reject" | "terminate";
    readonly call_id: string;
    readonly to?: string;
    readonly session?: { readonly sdp: string; readonly sdp_type: string };
  };
}

/** Its answer: a JSON or text body, or `hang` for no answer. */
export type ApiReply =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | "hang";

/** For tests: a Graph API on loopback. */
export interface FakeApi {
  readonly url: string;
  /** In order of arrival. */
  readonly requests: readonly ApiRequest[];
  /** The actions of the requests. */
  readonly actions: readonly string[];
  /** Answers a request. By default, all succeed. */
  reply: (request: ApiRequest) => ApiReply;
}

/** Starts a fake API that is closed after the test. */
export async function startFakeApi(): Promise<FakeApi> {
  const requests: ApiRequest[] = [];
  const server = createServer(async (request, response) => {
    const received = {
      path: request.url ?? "",
      authorization: request.headers.authorization,
      body: JSON.parse((await readText(request)) || "{}") as ApiRequest["body"],
    };
    requests.push(received);
    const reply = api.reply(received);
    if (reply === "hang") return;
    const { status = 200, headers = {}, body = { messaging_product: "whatsapp", success: true } } = reply;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  const api: FakeApi = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v23.0`,
    requests,
    get actions() {
      return requests.map(({ body }) => body.action);
    },
    reply: () => ({}),
  };
  return api;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
