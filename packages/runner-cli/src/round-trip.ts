import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { type DoctorContext, type ReceivedRequest, RunnerError } from "@pipecat-ts/runner-core";
import type { FrontHandlers } from "@pipecat-ts/runner-host";

/** How long a request through the public URL may take, in ms. */
const timeoutMs = 4_000;
/** The query that finds a request again. */
const key = "doctor";

/** Sends requests from this machine to the public URL, and receives them at the runner's port. */
export interface RoundTrips {
  /** For the server at the runner's port. */
  readonly handlers: FrontHandlers;
  readonly roundTrip: NonNullable<DoctorContext["roundTrip"]>;
  /** Opens a WebSocket at the public URL. Rejects with PUBLIC_URL_UNREACHABLE unless it arrives. */
  openSocket(): Promise<void>;
}

/** `local`: the URL of the runner's port on this machine. */
export function createRoundTrips(publicUrl: URL, local: URL): RoundTrips {
  /** Requests on their way, by their kind and id: a proxy may turn an upgrade into an ordinary request. */
  const expected = new Map<string, (received: ReceivedRequest) => void>();

  /** The URL of a request on its way, and the request when it has arrived. */
  function expectAt(path: string, kind: "request" | "upgrade") {
    const id = randomUUID();
    const url = new URL(`${publicUrl.href.replace(/\/+$/, "")}${path}`);
    url.searchParams.set(key, id);
    const arrived = new Promise<ReceivedRequest>((resolve) => expected.set(`${kind} ${id}`, resolve));
    return { url, arrived, forget: () => expected.delete(`${kind} ${id}`) };
  }

  function unreachable(reason: string, cause?: unknown): RunnerError {
    return new RunnerError("PUBLIC_URL_UNREACHABLE", `Requests do not reach ${local.origin}: ${reason}.`, {
      cause,
      fix: `Start the tunnel or proxy, and let it forward to ${local.origin}.`,
    });
  }

  function idOf({ url = "/" }: IncomingMessage): string {
    return URL.parse(url, publicUrl.href)?.searchParams.get(key) ?? "";
  }

  return {
    handlers: {
      async request(request: IncomingMessage, response: ServerResponse) {
        const body = await text(request);
        const receive = expected.get(`request ${idOf(request)}`);
        receive?.({ request, body });
        response.writeHead(receive ? 204 : 404).end();
      },
      async upgrade(request: IncomingMessage, connection: Duplex) {
        connection.on("error", () => connection.destroy());
        expected.get(`upgrade ${idOf(request)}`)?.({ request, body: "" });
        const accepted = createHash("sha1")
          .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`) // RFC 6455, section 1.3
          .digest("base64");
        connection.end(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accepted}\r\n\r\n`,
        );
      },
    },
    async roundTrip(path, create) {
      const { url, arrived, forget } = expectAt(path, "request");
      const { method, headers, body } = create(url);
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const answered = fetch(url, {
          method,
          headers,
          redirect: "manual",
          signal,
          ...(body !== undefined && { body }),
        });
        const first = await Promise.race([arrived, answered]);
        if (!(first instanceof Response)) {
          await answered.catch(() => undefined); // It has arrived, whatever the answer.
          return first;
        }
        const received = await Promise.race([arrived, undefined]);
        if (received) return received;
        throw unreachable(`another server answers with status ${first.status}`);
      } catch (error) {
        throw error instanceof RunnerError ? error : unreachable(reasonOf(error), error);
      } finally {
        forget();
      }
    },
    async openSocket() {
      const { url, arrived, forget } = expectAt("/ws", "upgrade");
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(url);
      try {
        const failed = new Promise<never>((_, reject) => {
          socket.onerror = () => reject(unreachable("no WebSocket arrives"));
          setTimeout(
            () => reject(unreachable(`no WebSocket arrives within ${timeoutMs / 1_000} s`)),
            timeoutMs,
          ).unref();
        });
        await Promise.race([arrived, failed]);
      } finally {
        forget();
        socket.onerror = null;
        socket.close();
      }
    },
  };
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === "TimeoutError") return `no answer within ${timeoutMs / 1_000} s`;
  const { message: inner, code } = Object(cause) as NodeJS.ErrnoException;
  return inner || code || message;
}
