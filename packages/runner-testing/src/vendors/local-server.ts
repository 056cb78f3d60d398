import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { generate } from "selfsigned";

/** An HTTPS server on this machine with a certificate of its own. */
export interface LocalServer {
  readonly server: Server;
  /** `https://localhost:{port}`. */
  readonly origin: string;
  /** The certificate as PEM: another process trusts it when `NODE_EXTRA_CA_CERTS` names a file with it. */
  readonly certificate: string;
  close(): Promise<void>;
}

/**
 * Starts an HTTPS server that this process trusts until it is closed. Vendors' SDKs connect by TLS only, whatever the URL says.
 * Requires Node 22.19 or 24.5.
 */
export async function startLocalServer(listener: RequestListener): Promise<LocalServer> {
  const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
    ],
  });
  const server = createServer({ key, cert: certificate }, listener);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, certificate]);
  return {
    server,
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    certificate,
    async close() {
      setDefaultCACertificates(getCACertificates("default").filter((each) => each.trim() !== certificate.trim()));
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
