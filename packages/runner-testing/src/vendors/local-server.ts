import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { generate } from "selfsigned";

/** A server on this machine. */
export interface LocalServer {
  readonly server: Server;
  /** `http://127.0.0.1:{port}`, or `https://localhost:{port}`. */
  readonly origin: string;
  /** Closes the server and all of its connections. */
  close(): Promise<void>;
}

/** Waits while a simulated vendor is unresponsive. */
export async function untilResponsive(vendor: { readonly unresponsive: boolean }): Promise<void> {
  while (vendor.unresponsive) await sleep(20);
}

/** Starts an HTTP server. */
export async function startLocalServer(listener: RequestListener): Promise<LocalServer> {
  const { port, ...local } = await listen(createServer(listener), "127.0.0.1");
  return { ...local, origin: `http://127.0.0.1:${port}` };
}

/** An HTTPS server with a certificate of its own. */
export interface TlsServer extends LocalServer {
  /** The certificate as PEM: another process trusts it when `NODE_EXTRA_CA_CERTS` names a file with it. */
  readonly certificate: string;
}

/**
 * Starts an HTTPS server that this process trusts until it is closed, for SDKs that connect by TLS only, whatever the URL says.
 * Requires Node 22.19 or 24.5.
 */
export async function startTlsServer(listener: RequestListener): Promise<TlsServer> {
  const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
    ],
  });
  const { server, port, close } = await listen(createTlsServer({ key, cert: certificate }, listener), "localhost");
  setDefaultCACertificates([...getCACertificates("default"), certificate]);
  return {
    server,
    origin: `https://localhost:${port}`,
    certificate,
    async close() {
      setDefaultCACertificates(getCACertificates("default").filter((each) => each.trim() !== certificate.trim()));
      await close();
    },
  };
}

async function listen(server: Server, host: string) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
