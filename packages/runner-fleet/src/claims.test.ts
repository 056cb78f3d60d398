import { once } from "node:events";
import { Agent } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { LocalNode } from "@pipecat-ts/runner-gateway";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { createClaimLookup, maxLookups } from "./claims.ts";
import type { NodeReport } from "./directory.ts";
import { connectToNode, derive, openNodeServer, sendControl } from "./node-connection.ts";
import { secret } from "./test/fixture.ts";

const host = "127.0.0.1";

function reportOf(id: string, port: number): NodeReport {
  const load = { state: "ready", active: 0, pending: 0, places: 1 } as const;
  return { id, address: `${host}:${port}`, version: "1", startedAt: "", ...load };
}

/** A node that has claimed the key `mine`. Returns its port. */
async function openNode(id: string): Promise<number> {
  const server = await openNodeServer({
    listen: { host, port: 0 },
    secret,
    node: { id } as LocalNode,
    onDrain: () => undefined,
    hasClaimed: (keys) => keys.includes("mine"),
    logger: createRecordingLogger(),
  });
  onTestFinished(server.close);
  return server.port;
}

/** A server for this test, with its port and its connections. */
async function open(server: Server) {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => void sockets.push(socket));
  await once(server.listen(0, host), "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

function createLookup() {
  const failed: string[] = [];
  const lookup = createClaimLookup(secret, (node) => failed.push(node));
  onTestFinished(lookup.close);
  return { lookup, failed };
}

test("the node that has claimed a key is found beside one that cannot be reached, which is reported", async () => {
  const silent = await open(createServer((socket) => socket.destroy()));
  const nodes = [reportOf("0000000a", silent.port), reportOf("0000000b", await openNode("0000000b"))];
  const { lookup, failed } = createLookup();
  expect(await lookup.find(nodes, ["mine"])).toBe("0000000b");
  expect(await lookup.find(nodes.slice(1), ["unknown"])).toBeUndefined();
  await expect.poll(() => failed).toEqual(["0000000a"]);
});

test("while 32 lookups are in progress, further ones find nothing and ask nobody", async () => {
  const silent = await open(createServer());
  const free = reportOf("0000000b", await openNode("0000000b"));
  const { lookup } = createLookup();
  const waiting = Array.from({ length: maxLookups }, () => lookup.find([reportOf("0000000a", silent.port)], ["mine"]));
  expect(await lookup.find([free], ["mine"])).toBeUndefined();
  await expect.poll(() => silent.sockets.length).toBe(maxLookups);
  for (const socket of silent.sockets) socket.destroy();
  await Promise.all(waiting);
  expect(await lookup.find([free], ["mine"])).toBe("0000000b");
});

test("connections to nodes that have left are closed, and the others stay open", async () => {
  const ids = ["0000000a", "0000000b"];
  const relays = await Promise.all(
    ids.map(async (id) => {
      const port = await openNode(id);
      return await open(createServer((socket) => socket.pipe(connect(port, host)).pipe(socket)));
    }),
  );
  const nodes = ids.map((id, index) => reportOf(id, relays[index]?.port ?? 0));
  const { lookup } = createLookup();
  await lookup.find(nodes, ["unknown"]);
  const [left, stays] = relays.map(({ sockets }) => sockets[0]) as [Socket, Socket];
  const closed = once(left, "close");
  lookup.keepOnly(new Map([["0000000b", {}]]));
  await closed;
  await lookup.find(nodes.slice(1), ["unknown"]);
  expect(relays[1]?.sockets).toEqual([stays]);
  expect(stays.readyState).toBe("open");
});

test("a control connection that fails within a response ends nothing else", async () => {
  const accepted = Promise.withResolvers<TLSSocket>();
  const server = createTlsServer(
    {
      ...{ ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
      pskCallback: (_, identity) => derive(secret, identity),
    },
    (socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
      accepted.resolve(socket);
    },
  );
  const { port } = await open(server);
  const connection = await connectToNode({ host, port }, secret, "0000000a", "control");
  const agent = new Agent();
  agent.createConnection = () => connection;
  expect(await sendControl({ path: "/claims", agent })).toBe(200);
  const socket = await accepted.promise;
  socket.write("not the length of a chunk\r\n");
  // The request's error is emitted before. Without a listener, it would be an unhandled error, which fails this test.
  await once(socket, "close");
});

test("the port for nodes closes at once, also while a client connects that has not proved its key", async () => {
  const options = { listen: { host, port: 0 }, secret, node: { id: "0000000a" } as LocalNode };
  const logger = createRecordingLogger();
  const server = await openNodeServer({ ...options, onDrain: () => undefined, hasClaimed: () => false, logger });
  const client = connect(server.port, host).on("error", () => undefined);
  await once(client, "connect");
  const node = await connectToNode({ host, port: server.port }, secret, "0000000a");
  const beganMs = performance.now();
  await server.close();
  expect(performance.now() - beganMs).toBeLessThan(2_000);
  await once(node, "close");
});

test.each(["//", "//[", "http://node/claims?key=mine"])("a node answers 404 for the target %s", async (path) => {
  const port = await openNode("0000000a");
  const connection = await connectToNode({ host, port }, secret, "0000000a", "control");
  connection.end(`GET ${path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n`);
  expect(await text(connection)).toMatch(/^HTTP\/1\.1 404 /);
});
