import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One request as the Graph API got it. */
export interface GraphRequest {
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

/** How it answers: a body of JSON or text, or `hang` for not at all. */
export type GraphReply =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | "hang";

/** For tests: a Graph API on loopback. */
export interface FakeGraph {
  readonly url: string;
  /** In the order they came. */
  readonly requests: readonly GraphRequest[];
  /** The actions asked for, in order. */
  readonly actions: readonly string[];
  /** Called for each request; by default all succeed. */
  reply: (request: GraphRequest) => GraphReply;
}

/** Starts one that ends with the test. */
export async function startGraph(): Promise<FakeGraph> {
  const requests: GraphRequest[] = [];
  const server = createServer(async (request, response) => {
    const received = {
      path: request.url ?? "",
      authorization: request.headers.authorization,
      body: JSON.parse(await textOf(request)) as GraphRequest["body"],
    };
    requests.push(received);
    const reply = graph.reply(received);
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
  const graph: FakeGraph = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v23.0`,
    requests,
    get actions() {
      return requests.map(({ body }) => body.action);
    },
    reply: () => ({}),
  };
  return graph;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
