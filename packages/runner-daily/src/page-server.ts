import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";
import { safeEqual } from "@pipecat-ts/runner-core";
import { type WebSocket, WebSocketServer } from "ws";

/** A server for one page in one browser on this machine. It accepts one WebSocket, the page's. */
export interface PageServer {
  /** The URL of the page. It contains a secret. */
  readonly url: string;
  /** The WebSocket of the page. Pending until the page connects. */
  readonly socket: Promise<WebSocket>;
  /** Never rejects; later calls have no effect. */
  close(): Promise<void>;
}

export interface PageServerOptions {
  readonly folder: string;
  /** The path of daily-js's browser script. */
  readonly sdk: string;
}

const contentTypes: Readonly<Record<string, string>> = { html: "text/html; charset=utf-8", js: "text/javascript" };
const files: readonly string[] = [
  "index.html",
  "page.js",
  "playout.js",
  "playout-worklet.js",
  "capture.js",
  "capture-worklet.js",
];
/** Largest message in bytes: an app message and its envelope. */
const maxPayload = 16 * 1024 * 1024;

export async function openPageServer({ folder, sdk }: PageServerOptions): Promise<PageServer> {
  const secret = randomBytes(32).toString("base64url");
  const paths = new Map([...files.map((name) => [name, join(folder, name)] as const), ["daily.js", sdk]]);
  const server = createServer((request, response) => {
    const name = fileName(request);
    const file = name === undefined ? undefined : paths.get(name === "" ? "index.html" : name);
    if (file === undefined || request.method !== "GET") {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("content-type", contentTypes[file.replace(/^.*\./, "")] ?? "application/octet-stream");
    // Closes both when one of them fails: the browser may end during the download.
    pipeline(createReadStream(file), response, () => undefined);
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false });
  const { promise: socket, resolve } = Promise.withResolvers<WebSocket>();
  let hasSocket = false;
  server.on("upgrade", (request, stream, head) => {
    if (hasSocket || fileName(request) !== "socket" || request.headers.origin !== origin()) {
      reject(stream);
      return;
    }
    hasSocket = true;
    sockets.handleUpgrade(request, stream, head, resolve);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let closing: Promise<void> | undefined;

  function origin(): string {
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** The requested file, for a request with the secret and with our own `Host`; otherwise `undefined`. */
  function fileName({ url = "", headers }: IncomingMessage): string | undefined {
    if (`http://${headers.host}` !== origin()) return undefined;
    const [, key, name = ""] = url.split("/");
    return safeEqual(key, secret) ? name : undefined;
  }

  async function close(): Promise<void> {
    server.close();
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    await once(server, "close");
  }

  return {
    url: `${origin()}/${secret}/`,
    socket,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** The HTTP server neither closes an upgraded stream nor handles its errors. */
function reject(stream: Duplex): void {
  stream.on("error", () => stream.destroy());
  stream.once("finish", () => stream.destroy());
  stream.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
}
