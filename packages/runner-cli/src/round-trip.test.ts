import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createRoundTrips } from "./round-trip.ts";

async function listen(handle: RequestListener): Promise<{ server: Server; port: number; url: URL }> {
  const server = createServer(handle);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { server, port, url: new URL(`http://127.0.0.1:${port}/`) };
}

/** A server at the runner's port, and a proxy in front of it that changes the paths of requests. */
async function startProxied(change: (path: string) => string = (path) => path, prefix = "") {
  const own = await listen((incoming, response) => void trips.handlers.request(incoming, response));
  const proxy = await listen((incoming: IncomingMessage, response) => {
    const { method = "", url = "", headers } = incoming;
    const forwarded = request({ host: "127.0.0.1", port: own.port, method, path: change(url), headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0);
      answer.pipe(response);
    });
    incoming.pipe(forwarded);
  });
  const trips = createRoundTrips(new URL(prefix, proxy.url), own.url);
  return trips;
}

const post = { method: "POST", headers: { "x-signature": "abc" }, body: "a=1" } as const;

test("a request arrives with its path, headers and body, and its URL can be signed", async () => {
  const trips = await startProxied((path) => path.replace("/voice", ""), "/voice");
  let signed: URL | undefined;
  const { request: arrived, body } = await trips.roundTrip("/acme", (url) => {
    signed = url;
    return post;
  });
  expect(signed?.pathname).toBe("/voice/acme");
  expect(arrived.url).toBe(`/acme${signed?.search}`);
  expect([arrived.method, arrived.headers["x-signature"], body]).toEqual(["POST", "abc", "a=1"]);
});

test("requests to a public URL that leads elsewhere are reported, with the port", async () => {
  const other = await listen((_, response) => void response.writeHead(502).end());
  const trips = createRoundTrips(other.url, new URL("http://localhost:7860"));
  const unreachable = { code: "PUBLIC_URL_UNREACHABLE", fix: expect.stringContaining("http://localhost:7860") };
  const answered = { ...unreachable, message: expect.stringContaining("another server answers with status 502") };
  await expect(trips.roundTrip("/", () => post)).rejects.toMatchObject(answered);
  await expect(trips.openSocket()).rejects.toMatchObject(unreachable);
  const closed = createRoundTrips(new URL("http://127.0.0.1:1/"), new URL("http://192.168.1.5:7860"));
  await expect(closed.roundTrip("/", () => post)).rejects.toMatchObject({
    message: expect.stringContaining("http://192.168.1.5:7860"),
  });
});

test("WebSockets that do not pass the proxy are reported", async () => {
  const trips = await startProxied();
  await expect(trips.openSocket()).rejects.toThrow("no WebSocket arrives");
});

test("a WebSocket that arrives is closed again", async () => {
  const own = await listen((_, response) => void response.end());
  const trips = createRoundTrips(own.url, own.url);
  own.server.on("upgrade", (incoming, connection, head) => void trips.handlers.upgrade(incoming, connection, head));
  await trips.openSocket();
});
