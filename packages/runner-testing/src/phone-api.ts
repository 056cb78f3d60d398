import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** A carrier's REST API on this machine, which keeps what it was asked. */
export interface FakeApi {
  readonly url: string;
  /** Every request, oldest first. */
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

/** One request that came. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** On the scale of `performance.now()`, in ms. */
  readonly atMs: number;
}

type Reply = { readonly status: number; readonly body?: string } | undefined;

/** Opens one, which answers as `answer` says, when it says so; `undefined` leaves a request without answer. */
export async function openFakeApi(answer: (request: SeenRequest) => Reply | Promise<Reply>): Promise<FakeApi> {
  const requests: SeenRequest[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const body = Buffer.concat(await incoming.toArray()).toString("utf8");
    const { method = "", url: path = "", headers } = incoming;
    const request: SeenRequest = { method, path, headers, body, atMs: performance.now() };
    requests.push(request);
    const reply = await answer(request);
    if (reply) outgoing.writeHead(reply.status, { connection: "close" }).end(reply.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
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
