import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";

/** A session that the simulated platform started. */
export interface CloudSession {
  readonly id: string;
  /** The response to `POST /bot`. */
  readonly ended: Promise<{ readonly status: number; readonly body: unknown }>;
  /** Passes a request of the caller on: `path` is what follows `/v1/public/{agent}/sessions/{id}/`. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** What a client sends to `/v1/public/{agent}/start`. */
export interface CloudStart {
  readonly transport?: string;
  readonly body?: unknown;
  /** The room that the platform creates for `createDailyRoom`. */
  readonly room?: { readonly url: string; readonly token: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly id?: string;
}

/**
 * The platform, as `local-test/mock_pipecat_cloud.py` in https://github.com/daily-co/pipecat-cloud-images simulates it: the same
 * requests and headers. `url` is the address of the image.
 */
export function simulatePipecatCloud(url: URL) {
  const send = (path: string, id: string, init: RequestInit, more: Readonly<Record<string, string>> = {}) =>
    fetch(new URL(path, url), {
      ...init,
      headers: { "content-type": "application/json", ...more, "x-daily-session-id": id },
    });

  return {
    start({ transport, body = {}, room, headers = {}, id = randomUUID() }: CloudStart = {}): CloudSession {
      const response = send(
        "/bot",
        id,
        { method: "POST", body: JSON.stringify(body) },
        {
          ...headers,
          ...(room && { "x-daily-room-url": room.url, "x-daily-room-token": room.token }),
          ...(transport !== undefined && { "x-daily-transport-type": transport }),
        },
      );
      return {
        id,
        ended: response.then(async (ended) => ({ status: ended.status, body: await ended.json() })),
        fetch: (path, init = {}) => send(`/${path}`, id, init),
      };
    },
    /** A phone call: the platform opens the image's WebSocket without `/bot`. */
    async openSocket(
      path: string,
      id: string = randomUUID(),
    ): Promise<{ readonly id: string; readonly socket: WebSocket }> {
      const socket = new WebSocket(new URL(path, url), { headers: { "x-daily-session-id": id } });
      await once(socket, "open");
      return { id, socket };
    },
  };
}
