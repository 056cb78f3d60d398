import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";

/** Serves one page to one browser on this machine, and takes the one socket that it opens. */
export interface PageServer {
  /** The page's address, which nobody can guess. */
  readonly url: string;
  /** The page's socket. Never settles when none comes. */
  readonly socket: Promise<WebSocket>;
  /** Never rejects; twice is once. */
  close(): Promise<void>;
}

export interface PageServerOptions {
  readonly folder: string;
  /** The file of daily-js. */
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
/** The largest message in bytes: an app message and what is around it. */
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
    createReadStream(file)
      .on("error", () => response.destroy())
      .pipe(response);
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false });
  const { promise: socket, resolve } = Promise.withResolvers<WebSocket>();
  let taken = false;
  server.on("upgrade", (request, stream, head) => {
    if (taken || fileName(request) !== "socket" || request.headers.origin !== origin()) {
      refuse(stream);
      return;
    }
    taken = true;
    sockets.handleUpgrade(request, stream, head, resolve);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let closing: Promise<void> | undefined;

  function origin(): string {
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** What is asked for below the secret path; `undefined` for whoever does not know it, or comes by another name. */
  function fileName({ url = "", headers }: IncomingMessage): string | undefined {
    if (`http://${headers.host}` !== origin()) return undefined;
    const [, given = "", name = ""] = url.split("/");
    return given.length === secret.length && timingSafeEqual(Buffer.from(given), Buffer.from(secret))
      ? name
      : undefined;
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

/** An upgraded stream is the server's no more: it neither handles its errors nor closes it with itself. */
function refuse(stream: Duplex): void {
  stream.on("error", () => stream.destroy());
  stream.once("finish", () => stream.destroy());
  stream.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
}
