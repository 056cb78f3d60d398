import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { send } from "@pipecat-ts/runner-core/caller";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import { type FakeCaller, tone } from "@pipecat-ts/runner-testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { excerpt } from "../../packages/audio/src/index.ts";
import { connectCaller as connectByWebRTC, sendOffer } from "../../packages/runner-webrtc/src/caller.ts";
import { createPeerCaller } from "../../packages/runner-webrtc/src/peer/werift/peer-caller.ts";
import { connectCaller } from "../../packages/runner-websocket/src/caller.ts";
import { expectEcho, twilioAccount } from "../server/callers.ts";
import { type Balancer, environment, type FleetNode, startBalancer, startNode, startSession } from "./nodes.ts";
import { type Redis, startRedis } from "./redis.ts";

// Three nodes with a real Redis, behind a round robin without stickiness. One of them isolates its bots.

const places = 12;
/** `PIPECAT_FULL_FLEET=1` takes the figures of docs/scaling.md, in a few minutes. */
const isFull = process.env.PIPECAT_FULL_FLEET !== undefined;
/** Calls whose socket arrives at another node than that of their session. */
const crossing = isFull ? 30 : 9;
/** How long Redis hangs, in ms. */
const outageMs = isFull ? 60_000 : 500;
const timeout = isFull ? 300_000 : 60_000;
const isolated = ["--isolation", "process", "--worker-sessions", String(places)];
const limits = ["--max-sessions", String(places), "--ws-auth", "token", "--no-verify-signatures"];

let redis: Redis;
let balancer: Balancer;
let nodes: FleetNode[] = [];
const started: FleetNode[] = [];

beforeAll(async () => {
  redis = await startRedis();
  balancer = await startBalancer();
  nodes = await startNodes();
});

afterAll(async () => {
  for (const { kill } of started) kill("SIGINT");
  await Promise.all(started.map(({ exited }) => exited));
  await balancer[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

/** Starts three nodes. Resolves when the round robin has them, and each knows the others. */
async function startNodes(): Promise<FleetNode[]> {
  const all = await Promise.all([[], [], isolated].map((flags) => startNode(redis.url, ...limits, ...flags)));
  started.push(...all);
  for (const node of all) {
    for (const { id } of all.filter((other) => other !== node)) await node.logged(`"node":"${id}"`);
    balancer.add(node);
  }
  return all;
}

function nodeOf(id: string): FleetNode {
  const node = nodes.find((each) => id.startsWith(each.id));
  if (!node) throw new Error(`No node has the session ${id}.`);
  return node;
}

function other(than: FleetNode): FleetNode {
  return nodes[(nodes.indexOf(than) + 1) % nodes.length] as FleetNode;
}

/** A call whose session belongs to one node, and whose socket another node accepts. */
async function callAcross(owner: FleetNode): Promise<FakeCaller & { readonly sessionId: string; readonly wsUrl: URL }> {
  const { sessionId, wsUrl } = await startSession(owner.url("/"));
  wsUrl.port = String(other(owner).port);
  return Object.assign(await connectCaller(wsUrl), { sessionId, wsUrl });
}

/** That many calls, which belong to the nodes in turn. */
async function callAllAcross(count: number) {
  return await Promise.all(
    Array.from({ length: count }, (_, index) => callAcross(nodes[index % nodes.length] as FleetNode)),
  );
}

async function callThroughBalancer(): Promise<FakeCaller> {
  const { wsUrl } = await startSession(balancer.url("/"));
  return await connectCaller(wsUrl);
}

const spokenMs = 800;

/** The caller speaks, and hears all of it. */
async function expectWholeEcho(caller: FakeCaller): Promise<void> {
  const { sampleRate } = caller;
  const heardMs = () =>
    caller.playout.played().reduce((sum, { frame }) => sum + (1000 * frame.samples.length) / frame.sampleRate, 0);
  const beforeMs = heardMs();
  const frame = excerpt(tone(300, { durationMs: 60, sampleRate }), 20, 40);
  for (let sentMs = 0; sentMs < spokenMs; sentMs += 20) {
    caller.sendAudio(frame);
    await sleep(15);
  }
  // A resampler keeps a few ms.
  await expect.poll(() => heardMs() - beforeMs).toBeGreaterThanOrEqual(spokenMs - 10);
}

function isOpen(caller: FakeCaller): Promise<boolean> {
  return Promise.race([caller.closed.then(() => false), sleep(0).then(() => true)]);
}

async function hangUp(callers: readonly FakeCaller[]): Promise<void> {
  await Promise.all(callers.map((caller) => caller.hangUp()));
  await expect.poll(() => liveSessions(), { message: "live sessions" }).toBe(0);
}

async function liveSessions(): Promise<number> {
  const lists = await Promise.all(nodes.map(({ url }) => send(url("/sessions"))));
  return lists.reduce((sum, { json }) => sum + (json as { readonly sessions: unknown[] }).sessions.length, 0);
}

test("500 PATCH requests with candidates, which name their session in the body only, all reach its node", async () => {
  const callers = await Promise.all([1, 2].map(() => connectByWebRTC(balancer.url("/api/offer"))));
  const answers: unknown[] = [];
  const candidate = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host";
  async function patch(pcId: string): Promise<void> {
    for (let count = 0; count < 50; count++) {
      const body = { pc_id: pcId, candidates: [{ candidate, sdp_mid: "0", sdp_mline_index: 0 }] };
      const { status, text } = await send(balancer.url("/api/offer"), { method: "PATCH", body });
      answers.push(status === 200 ? status : text);
    }
  }
  await Promise.all(callers.flatMap(({ pcId }) => Array.from({ length: 5 }, () => patch(pcId))));
  expect(answers.filter((answer) => answer !== 200)).toEqual([]);
  expect(answers).toHaveLength(500);
  await hangUp(callers);
});

test("calls whose socket arrives at another node than their session get all of their audio", async () => {
  const callers = await callAllAcross(crossing);
  for (const { sessionId } of callers) {
    const owner = nodeOf(sessionId);
    const answers = await Promise.all(nodes.map(({ url }) => send(url(`/sessions/${sessionId}`))));
    expect(
      answers.map(({ status }) => status),
      `sessions of ${owner.id}`,
    ).toEqual([200, 200, 200]);
  }
  await Promise.all(callers.map(expectWholeEcho));
  for (const { wsUrl, sessionId } of callers) {
    for (const { port } of [other(nodeOf(sessionId)), nodeOf(sessionId)]) {
      wsUrl.port = String(port);
      await expect(connectCaller(wsUrl), "its token was redeemed").rejects.toThrow();
    }
  }
  await hangUp(callers);
});

test("a new offer of a known peer, and candidates in the path of a session, reach its node from every node", async () => {
  const caller = await connectByWebRTC(balancer.url("/api/offer"));
  const sessionId = caller.pcId.slice(0, 36);
  for (let count = 0; count < 24; count++) {
    const body = { pc_id: caller.pcId, candidates: [] };
    const { status } = await send(balancer.url(`/sessions/${sessionId}/api/offer`), { method: "PATCH", body });
    expect(status).toBe(200);
  }
  const peers = nodes.map(() => createPeerCaller());
  let { pcId } = caller;
  for (const [index, peer] of peers.entries()) {
    if (index > 0) await sleep(1_000); // The owner takes one new peer of a caller per second.
    const body = { sdp: await peer.offer(), pc_id: pcId, restart_pc: true };
    ({ pc_id: pcId } = await sendOffer(nodes[index]?.url("/api/offer") as URL, body));
    expect(pcId.slice(0, 36)).toBe(sessionId);
  }
  expect(await liveSessions()).toBe(1);
  await Promise.all(peers.map((peer) => peer.close()));
  await send(balancer.url(`/sessions/${sessionId}`), { method: "DELETE" });
  await hangUp([caller]);
});

test("phone calls work through the round robin, and an id that a caller chose leads to its session from every node", async () => {
  const carrier = createFakeTwilio(twilioAccount);
  const phones = await Promise.all(nodes.map(() => carrier.call({ at: balancer.url("/"), path: "/twilio" })));
  await Promise.all(phones.map(expectEcho));
  await hangUp(phones);
  const chosen = randomUUID();
  const [one, two] = nodes as [FleetNode, FleetNode];
  const caller = await connectByWebRTC(one.url(`/api/offer?session_id=${chosen}`));
  await expect.poll(async () => (await send(two.url(`/sessions/${chosen}`))).status).toBe(200);
  await hangUp([caller]);
});

test("one free place and 50 starts at once: exactly one succeeds, the others get 429", async () => {
  const all = Array.from({ length: nodes.length * places }, () => startSession(balancer.url("/")));
  const [first, ...rest] = await Promise.all(all);
  const deleted = await send(balancer.url(`/sessions/${first?.sessionId}`), { method: "DELETE" });
  expect(deleted.status).toBe(200);
  const body = { transport: "websocket" };
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => send(balancer.url("/start"), { method: "POST", body })),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 429)).toHaveLength(49);
  const ids = answers.flatMap(({ headers }) => headers["x-session-id"] ?? []).map(String);
  for (const id of [...ids, ...rest.map(({ sessionId }) => sessionId)]) {
    await send(balancer.url(`/sessions/${id}`), { method: "DELETE" });
  }
  expect(await liveSessions()).toBe(0);
});

test("Redis hangs, then restarts empty: calls, starts and requests across nodes continue", { timeout }, async () => {
  const callers = await callAllAcross(isFull ? 30 : 3);
  const useful = async () => {
    await Promise.all(callers.map(expectWholeEcho));
    const more = await Promise.all(nodes.map(callAcross));
    await Promise.all(more.map(expectWholeEcho));
    await Promise.all(more.map((caller) => caller.hangUp()));
    for (const path of ["/livez", "/readyz"]) {
      const answers = await Promise.all(nodes.map(({ url }) => send(url(path))));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    }
  };
  redis.freeze();
  for (const endMs = performance.now() + outageMs; performance.now() < endMs; ) await useful();
  await Promise.all(nodes.map(({ logged }) => logged("directory of the fleet does not answer")));
  expect((await send(nodes[0]?.url("/metrics") ?? "")).text).toContain("pipecat_fleet_directory_up 0");
  redis.thaw();
  await redis.replace();
  await useful();
  await Promise.all(nodes.map(({ logged }) => logged("directory of the fleet answers again")));
  await useful();
  expect((await send(nodes[0]?.url("/metrics") ?? "")).text).toContain('pipecat_fleet_nodes{state="ready"} 3');
  await hangUp(callers);
});

test("a rolling restart of all three nodes under calls and 20 starts a second cuts no call and refuses no start", {
  timeout,
}, async () => {
  const old = nodes;
  const lists = async () => (await fleet("--json")).stdout;
  const long = await callAllAcross(isFull ? 30 : 3);
  let isOver = false;
  const failures: unknown[] = [];
  let calls = 0;
  /** Short calls, one after the other, through the round robin. */
  async function keepCalling(): Promise<void> {
    while (!isOver) {
      try {
        const caller = await callThroughBalancer();
        await expectWholeEcho(caller);
        if (!(await isOpen(caller))) throw new Error("The call was cut.");
        await caller.hangUp();
        calls += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  }
  let starts = 0;
  /** 20 sessions a second, which end at once. At most 6 at a time: while the machine is busy, more would fill all nodes. */
  async function keepStarting(): Promise<void> {
    const inProgress = new Set<Promise<void>>();
    while (!isOver) {
      const one = startAndDelete()
        .catch((error: unknown) => void failures.push(error))
        .finally(() => inProgress.delete(one));
      inProgress.add(one);
      await sleep(50);
      if (inProgress.size >= 6) await Promise.race(inProgress);
    }
    await Promise.all(inProgress);
  }
  async function startAndDelete(): Promise<void> {
    const { sessionId } = await startSession(balancer.url("/"));
    const { status, text } = await send(balancer.url(`/sessions/${sessionId}`), { method: "DELETE" });
    if (status !== 200) throw new Error(`DELETE answered ${status} ${text}`);
    starts += 1;
  }
  nodes = await startNodes();
  expect(JSON.parse(await lists())).toHaveLength(6);
  const callers = Promise.all([keepCalling(), keepCalling(), keepCalling(), keepStarting()]);
  const [byCommand, ...bySignal] = old as [FleetNode, FleetNode, FleetNode];
  const waiting = fleet("drain", byCommand.id, "--wait");
  for (const { kill } of bySignal) kill("SIGTERM");
  const drains = async ({ url }: FleetNode) => expect((await send(url("/readyz"))).status).toBe(503);
  await Promise.all(old.map((node) => vi.waitFor(() => drains(node), { timeout: 30_000 })));

  const begun = await Promise.all([...old, ...old].map(({ url }) => startSession(url("/"))));
  const late = await Promise.all(begun.map(({ wsUrl }) => connectCaller(wsUrl)));
  await Promise.all(late.map(expectWholeEcho));
  await Promise.all(late.map((caller) => caller.hangUp()));
  await Promise.all(long.map(expectWholeEcho));
  await Promise.all(long.map((caller) => caller.hangUp()));
  expect((await waiting).stdout).toContain(`${byCommand.id} has left the fleet`);
  expect(await Promise.all(old.map(({ exited }) => exited))).toEqual([0, 0, 0]);
  isOver = true;
  await callers;
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(3);
  expect(starts).toBeGreaterThan(20);
  if (isFull) console.log({ calls, starts, long: long.length });
  await hangUp([]);
});

test("kill -9 of a node ends the calls that it has or accepted, and no others; starts continue", async () => {
  const callers = await Promise.all(nodes.map(callAcross));
  const dead = nodes[0] as FleetNode;
  const [survivor] = callers.filter(({ sessionId }) => nodeOf(sessionId) !== dead && other(nodeOf(sessionId)) !== dead);
  dead.kill("SIGKILL");
  await dead.exited;
  nodes = nodes.filter((node) => node !== dead);
  // Its lease lasts on: its clients shall try again. Then it is forgotten.
  const lost = callers.find(({ sessionId }) => sessionId.startsWith(dead.id))?.sessionId;
  expect((await send(balancer.url(`/sessions/${lost}`))).status).toBe(503);
  await Promise.all(callers.filter((caller) => caller !== survivor).map(({ closed }) => closed));
  await expectWholeEcho(survivor as FakeCaller);
  const calls = await Promise.all(Array.from({ length: 6 }, callThroughBalancer));
  await Promise.all(calls.map(expectWholeEcho));
  await expect.poll(async () => (await send(balancer.url(`/sessions/${lost}`))).status).toBe(404);
  await hangUp([survivor as FakeCaller, ...calls]);
});

/** Runs `pipecat-runner fleet`. */
function fleet(...args: readonly string[]) {
  const project = join(import.meta.dirname, "project");
  const program = join(dirname(dirname(import.meta.dirname)), "packages/runner-cli/src/main.ts");
  return promisify(execFile)(process.execPath, [program, "fleet", ...args], {
    cwd: project,
    env: environment(redis.url),
  });
}
