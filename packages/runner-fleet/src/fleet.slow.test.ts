import { once } from "node:events";
import { request as sendRequest } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { parseAddress } from "./address.ts";
import { findNode, requestDrain, waitUntilLeft } from "./control.ts";
import { createMemoryDirectory, type Directory, type NodeReport } from "./directory.ts";
import { createFleet } from "./fleet.ts";
import { connectToNode, derive } from "./node-connection.ts";
import { type NodeFixture, secret, startNode } from "./test/fixture.ts";

function connect(node: NodeFixture, path: string): WebSocket {
  return new WebSocket(new URL(path, node.gateway.url.href.replace("http", "ws")));
}

/** Lets every node read the directory, and so know the others. */
async function acquainted(...nodes: readonly NodeFixture[]): Promise<void> {
  await Promise.all(nodes.map(({ fleet }) => fleet.announce()));
}

test("any node answers for the sessions of the others, and takes their sockets", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await acquainted(one, two);
  const id = await one.start();
  expect(await (await two.fetch(`/sessions/${id}`)).json()).toMatchObject({ sessionId: id, state: "pending" });
  const socket = connect(two, `/fake/${id}`);
  await once(socket, "open");
  expect(one.gateway.sessions.counts).toEqual({ pending: 0, active: 1 });
  expect(await (await two.fetch("/metrics")).text()).toContain('pipecat_fleet_forwarded_total{kind="socket"} 1');
  const closed = once(socket, "close");
  expect((await two.fetch(`/sessions/${id}`, { method: "DELETE" })).status).toBe(200);
  await closed;
  const ended = { sessionId: id, state: "ended", reason: "ended-by-request" };
  expect(await (await two.fetch(`/sessions/${id}`)).json()).toMatchObject(ended);
});

test("when a node listens, the others know it", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  const id = await two.start();
  expect((await one.fetch(`/sessions/${id}`)).status).toBe(200);
});

test("a session whose id has ended before on another node is described as live", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await one.start({ sessionId: "chosen" });
  await one.fetch("/sessions/chosen", { method: "DELETE" });
  const describe = async () => (await (await one.fetch("/sessions/chosen")).json()) as object;
  expect(await describe()).toMatchObject({ state: "ended" });
  await two.start({ sessionId: "chosen" });
  expect(await describe()).toMatchObject({ state: "pending" });
});

test("a call id and an id that the caller chose lead to their session from every node, until it ends", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await acquainted(one, two);
  const id = await one.start({ callId: "CA1" });
  expect(await two.start({ callId: "CA1" }), "a webhook that is delivered again").toBe(id);
  await one.start({ sessionId: "chosen" });
  expect((await two.fetch("/sessions/chosen")).status).toBe(200);
  expect(two.gateway.sessions.counts.pending).toBe(0);
  await one.fetch(`/sessions/${id}`, { method: "DELETE" });
  const next = await two.start({ callId: "CA1" });
  expect(next.slice(0, 8)).not.toBe(id.slice(0, 8));
});

test("a full node sends callers to one with a free place, and when all are full, they get 429", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory, { maxSessions: 1 });
  await using two = await startNode(directory, { maxSessions: 2 });
  await acquainted(one, two);
  const ids = [await one.start(), await one.start(), await one.start()];
  expect(new Set(ids).size).toBe(3);
  expect(two.gateway.sessions.counts.pending).toBe(2);
  await expect(one.start()).rejects.toThrow("429 AT_CAPACITY");
  await two.fetch(`/sessions/${ids[2]}`, { method: "DELETE" });
  const results = await Promise.allSettled(Array.from({ length: 50 }, (_, index) => [one, two][index % 2]?.start()));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const socket = connect(one, "/fake");
  const [, response] = await once(socket, "unexpected-response");
  expect(response.statusCode).toBe(429);
  await two.fetch(`/sessions/${ids[1]}`, { method: "DELETE" });
  const bare = connect(one, "/fake");
  await once(bare, "open");
  expect(two.gateway.sessions.counts.active).toBe(1);
  bare.close();
});

test("a caller that one node after the other rejects gets the last free place", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory, { maxSessions: 1 });
  await using two = await startNode(directory, { maxSessions: 1 });
  await using three = await startNode(directory, { maxSessions: 1 });
  await acquainted(one, two, three);
  // The second node is asked first, although it is full: the reports are older.
  vi.spyOn(Math, "random").mockReturnValue(0);
  const ids = [await one.start(), await one.start(), await one.start()];
  expect(new Set(ids.map((id) => id.slice(0, 8))).size).toBe(3);
  await expect(one.start()).rejects.toThrow("429 AT_CAPACITY");
  vi.restoreAllMocks();
});

test("an operator drains a node: its callers go elsewhere, its calls and those that pass through it end by themselves", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await acquainted(one, two);
  const ids = [await one.start(), await two.start()];
  const [own, passing] = ids.map((id) => connect(one, `/fake/${id}`)) as [WebSocket, WebSocket];
  await Promise.all([once(own, "open"), once(passing, "open")]);

  const nodes = await directory.list();
  expect(() => findNode(nodes.slice(0, 1), "")).toThrow('"" names no node.');
  const report = findNode(nodes, ids[0]?.slice(0, 8) ?? "");
  await requestDrain(report, secret);
  expect(one.drains()).toBe(1);
  const drained = one.gateway.drain();
  expect((await one.fetch("/readyz")).status).toBe(503);
  await requestDrain(report, secret);
  expect(one.drains()).toBe(1);
  expect((await one.start()).slice(0, 8)).not.toBe(report.id);
  const waiting = waitUntilLeft(directory, report, secret);
  own.close();
  await expect.poll(() => one.gateway.sessions.counts.active).toBe(0);
  await sleep(2_000);
  expect((await one.start()).slice(0, 8)).not.toBe(report.id);
  expect(passing.readyState).toBe(WebSocket.OPEN);
  passing.close();
  await Promise.all([drained, waiting]);
});

test("a node that drains answers for its own calls, and offers the callers of a failed node to the others", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  const [report] = await directory.list();
  await directory.beat({ ...(report as NodeReport), id: "0badf00d", address: "127.0.0.1:1" }, 60_000);
  await directory.claim(derive(secret, "claim:alias:CA2").toString("base64url"), "0badf00d", 60_000);
  await acquainted(one, two);
  const id = await one.start({ callId: "CA1" });
  const socket = connect(one, `/fake/${id}`);
  await once(socket, "open");
  const drained = one.gateway.drain();
  expect(await one.start({ callId: "CA1" }), "a webhook that is delivered again").toBe(id);
  // By then, it takes no new callers itself.
  await sleep(2_000);
  expect((await one.start({ callId: "CA2" })).slice(0, 8)).not.toBe(id.slice(0, 8));
  socket.close();
  await drained;
});

test("requests that do not come from a node are rejected, and nothing is sent to a machine that is not one", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  const [report] = await directory.list();
  const { id, address } = report as NodeReport;
  const { host, port } = parseAddress(address, "test");

  const plain = sendRequest({ host, port, path: "/sessions", agent: false }).end();
  expect(await once(plain, "error")).toMatchObject([{ code: "ECONNRESET" }]);
  const wrong = "another secret with more than 32 chars";
  await expect(connectToNode({ host, port }, wrong, id)).rejects.toThrow(
    expect.objectContaining({ code: "NODE_UNREACHABLE" }),
  );
  await expect(connectToNode({ host, port }, secret, "00000000"), "a former node at this address").rejects.toThrow(
    expect.objectContaining({ code: "NODE_UNREACHABLE" }),
  );
  await expect(requestDrain(report as NodeReport, wrong)).rejects.toThrow();
  expect(one.drains()).toBe(0);
  expect(one.log.lines.filter(({ message }) => message === "connection to the fleet's port rejected")).toHaveLength(1);

  // An attacker who can write to the directory names an address of its own.
  const received: Buffer[] = [];
  const foreign = createServer((socket) =>
    socket.on("data", (chunk) => received.push(chunk)).on("error", () => undefined),
  );
  await once(foreign.listen(0, "127.0.0.1"), "listening");
  const lease = {
    ...(report as NodeReport),
    id: "0badf00d",
    address: `127.0.0.1:${(foreign.address() as AddressInfo).port}`,
  };
  await directory.beat(lease, 60_000);
  await one.fleet.announce();
  const response = await one.fetch("/sessions/0badf00d-0001-8000-8000-000000000000", {
    headers: { authorization: "Bearer the API key" },
  });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: "NODE_UNREACHABLE" });
  expect(Buffer.concat(received).toString("latin1")).not.toMatch(/API key|sessions/);
  foreign.close();
});

test("a caller cannot pass for another one, or for a node", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory, { maxSessions: 1 });
  await using two = await startNode(directory);
  await acquainted(one, two);
  await one.start();
  const headers = { "x-pipecat-client": "203.0.113.7", "x-pipecat-rejected": "1" };
  const response = await one.fetch("/start", { method: "POST", headers });
  expect(response.headers.get("x-pipecat-rejected")).toBeNull();
  expect(await response.json()).toMatchObject({ client: "127.0.0.1" });
  expect(two.gateway.sessions.counts.pending).toBe(1);
});

test("a directory that does not answer stops nothing: nodes that know each other continue", async () => {
  const memory = createMemoryDirectory();
  let isDown = false;
  const directory = new Proxy(memory, {
    get: (target, name: keyof Directory) =>
      isDown && name !== "close" ? () => Promise.reject(new Error("down")) : target[name],
  });
  await using one = await startNode(directory, { maxSessions: 1 });
  await using two = await startNode(directory);
  await acquainted(one, two);
  isDown = true;
  const id = await one.start({ sessionId: "chosen" });
  expect((await two.fetch(`/sessions/${id}`)).status, "the nodes ask each other").toBe(200);
  expect((await two.fetch("/sessions/unknown")).status).toBe(404);
  expect((await one.start()).slice(0, 8)).not.toBe(id.slice(0, 8));
  const called = await two.start({ callId: "CA1" });
  expect(await one.start({ callId: "CA1" }), "a webhook that is delivered again").toBe(called);
  const isWarned = () => one.log.lines.some(({ message }) => message === "directory of the fleet does not answer");
  await expect.poll(isWarned).toBe(true);
  expect((await one.fetch("/readyz")).status).toBe(200);
  expect(await (await one.fetch("/metrics")).text()).toContain("pipecat_fleet_directory_up 0");
  isDown = false;
  // Claims that the directory missed are made up for.
  await expect.poll(async () => (await two.fetch("/sessions/chosen")).status).toBe(200);
});

test("calls are found after the directory has lost everything between two beats", async () => {
  let memory = createMemoryDirectory();
  const directory = new Proxy(memory, { get: (_, name: keyof Directory) => memory[name] });
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await acquainted(one, two);
  const id = await one.start({ callId: "CA1" });
  memory = createMemoryDirectory();
  await acquainted(one, two);
  expect(await two.start({ callId: "CA1" })).toBe(id);
});

test("a node takes over the claim of one that it cannot reach, and claims again what another one has released", async () => {
  const memory = createMemoryDirectory();
  let isDown = false;
  const directory = new Proxy(memory, {
    get: (target, name: keyof Directory) =>
      isDown && name === "beat" ? () => Promise.reject(new Error("down")) : target[name],
  });
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await using three = await startNode(directory);
  const [report] = await directory.list();
  await directory.beat({ ...(report as NodeReport), id: "0badf00d", address: "127.0.0.1:1" }, 60_000);
  await directory.claim(derive(secret, "claim:alias:CA1").toString("base64url"), "0badf00d", 60_000);
  await acquainted(one, two, three);
  const id = await one.start({ callId: "CA1" });
  expect(await two.start({ callId: "CA1" }), "a call whose first node has failed").toBe(id);

  await one.start({ sessionId: "chosen" });
  await two.start({ sessionId: "chosen" });
  await one.fetch("/sessions/chosen", { method: "DELETE" });
  // After a failure, nodes look after their claims at once.
  isDown = true;
  await acquainted(two);
  isDown = false;
  await acquainted(two);
  await expect.poll(async () => (await three.fetch("/sessions/chosen")).status).toBe(200);
});

test("a session that ended while the directory did not answer is not found when its id is used again elsewhere", async () => {
  const memory = createMemoryDirectory();
  let isDown = false;
  const directory = new Proxy(memory, {
    get: (target, name: keyof Directory) =>
      isDown && name !== "close" ? () => Promise.reject(new Error("down")) : target[name],
  });
  await using one = await startNode(directory);
  await using two = await startNode(directory);
  await using three = await startNode(directory);
  await acquainted(one, two, three);
  const describe = async () => (await (await three.fetch("/sessions/chosen")).json()) as object;
  for (const isKnown of [true, false]) {
    await one.start({ sessionId: "chosen" });
    isDown = true;
    // The node may learn of the failure from the release itself.
    if (isKnown) await acquainted(one);
    await one.fetch("/sessions/chosen", { method: "DELETE" });
    isDown = false;
    await acquainted(one, two, three);
    await two.start({ sessionId: "chosen" });
    expect(await describe()).toMatchObject({ state: "pending" });
    await two.fetch("/sessions/chosen", { method: "DELETE" });
  }
});

test("a claim that ends before the directory answers is not claimed again", async () => {
  const memory = createMemoryDirectory();
  const { promise: answered, resolve: answer } = Promise.withResolvers<string>();
  const renew = vi.spyOn(memory, "renew");
  vi.spyOn(memory, "claim").mockReturnValue(answered);
  await using one = await startNode(memory);
  const id = await one.start({ callId: "CA1" });
  await one.fetch(`/sessions/${id}`, { method: "DELETE" });
  answer("a node that has left");
  await acquainted(one);
  expect(renew).not.toHaveBeenCalled();
});

test("calls that pass to a node end when its machine fails, and not when only the directory has lost it", async () => {
  const memory = createMemoryDirectory();
  let isDown = false;
  const directory = new Proxy(memory, {
    get: (target, name: keyof Directory) =>
      isDown && name === "beat" ? () => Promise.reject(new Error("down")) : target[name],
  });
  const relay = createServer();
  const port = await listen(relay);
  const former = createServer();
  const nodePort = await listen(former);
  former.close();
  const sockets: Socket[] = [];
  relay.on("connection", (socket: Socket) => {
    const node = connectTcp(nodePort, "127.0.0.1");
    sockets.push(
      socket.on("error", () => undefined),
      node.on("error", () => undefined),
    );
    socket.pipe(node).pipe(socket);
  });
  await using one = await startNode(memory);
  await using two = await startNode(directory, {}, { listen: `127.0.0.1:${nodePort}`, address: `127.0.0.1:${port}` });
  const socket = connect(one, `/fake/${await two.start()}`);
  await once(socket, "open");
  isDown = true;
  await expect.poll(() => one.log.lines.map(({ message }) => message)).toContain("node left");
  await sleep(2_500);
  expect(socket.readyState).toBe(WebSocket.OPEN);

  // From now on like a machine without power: connections stay, and nothing arrives.
  relay.removeAllListeners("connection").on("connection", (each: Socket) => void sockets.push(each));
  for (const each of sockets) each.unpipe().pause();
  await once(socket, "close");
  for (const each of sockets) each.destroy();
  relay.close();
});

test("a node that the directory has lost has not left while it answers", async () => {
  const directory = createMemoryDirectory();
  await using one = await startNode(directory);
  const [report] = (await directory.list()) as [NodeReport];
  let hasLeft = false;
  const waiting = waitUntilLeft(directory, report, secret).then(() => {
    hasLeft = true;
  });
  await directory.leave(report.id);
  await sleep(600);
  expect(hasLeft).toBe(false);
  await one.gateway.close();
  await waiting;
});

test("a drain request to a node that does not answer rejects with a fix", async () => {
  const sockets: Socket[] = [];
  const silent = createTlsServer({
    ...{ ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
    pskCallback: (_, identity) => derive(secret, identity),
  });
  silent.on("secureConnection", (socket: Socket) => void sockets.push(socket.resume()));
  const address = `127.0.0.1:${await listen(silent)}`;
  const load = { state: "ready", active: 0, pending: 0, places: 1 } as const;
  const asked = requestDrain({ id: "0000000a", address, version: "1", startedAt: "", ...load }, secret);
  await expect(asked).rejects.toMatchObject({ code: "NODE_UNREACHABLE", fix: expect.any(String) });
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, "close")));
  silent.close();
});

/** Opens a port on this machine, and returns it. */
async function listen(server: Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

test("a node that cannot be reached gets no further lookups for a while", async () => {
  let connections = 0;
  const refusing = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await once(refusing.listen(0, "127.0.0.1"), "listening");
  const memory = createMemoryDirectory();
  await using one = await startNode(memory);
  const [report] = await memory.list();
  const address = `127.0.0.1:${(refusing.address() as AddressInfo).port}`;
  await memory.beat({ ...(report as NodeReport), id: "0badf00d", address }, 60_000);
  await acquainted(one);
  vi.spyOn(memory, "find").mockRejectedValue(new Error("down"));
  expect((await one.fetch("/sessions/unknown")).status).toBe(404);
  expect((await one.fetch("/sessions/unknown")).status).toBe(404);
  expect(connections).toBe(1);
  refusing.close();
});

test.each([
  [{ secret: "short" }, "fewer than 32 characters"],
  [{ listen: "not an address" }, '--fleet-listen: "not an address" is not an address.'],
  [{ listen: "0.0.0.0:7861" }, "other nodes cannot reach 0.0.0.0:7861"],
  [{ listen: "127.0.0.1:0", address: "host:99999" }, '--fleet-address: "host:99999" is not an address.'],
])("wrong options are rejected with a fix: %j", (options, message) => {
  const common = { directory: createMemoryDirectory(), version: "1", logger: console as never, onDrain: vi.fn() };
  expect(() => createFleet({ ...common, secret, ...options })).toThrow(
    expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringContaining(message),
      fix: expect.any(String),
    }),
  );
});

test("a node in one process rejects a reload, and its worker does not count as failed", async () => {
  await using one = await startNode(createMemoryDirectory());
  for (let count = 0; count < 4; count++) expect((await one.fetch("/reload", { method: "POST" })).status).toBe(400);
  expect(one.log.lines.filter(({ message }) => message.startsWith("workers do not start"))).toEqual([]);
  expect(await one.start()).toEqual(expect.any(String));
});
