import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Bot, createTransport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import {
  type Answer,
  countSettledResources,
  createRecordingLogger,
  send,
  settleResources,
  until,
  within,
} from "@pipecat-ts/runner-testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { SmallWebRTCRunnerArguments } from "./arguments.ts";
import { readAnswer } from "./peer/test/answer-reader.ts";
import { chromium, esp32 } from "./peer/test/offers.ts";
import { createPeerCaller, type PeerCaller } from "./peer/werift/test/peer-caller.ts";
import plugin from "./plugin.ts";
import { connectCaller, sendOffer, type WebRTCCaller } from "./test/fake-caller.ts";

vi.setConfig({ testTimeout: 30_000 });
const patienceMs = 10_000;
const runners: Runner[] = [];
const callers: { close(): unknown }[] = [];
/** For tests that need nothing special: closing one takes a while as long as somebody is on the way to it. */
let shared: Runner;
const seen: SmallWebRTCRunnerArguments[] = [];
beforeAll(async () => {
  shared = await open((args) => {
    seen.push(args as SmallWebRTCRunnerArguments);
    return echo(args);
  });
  runners.length = 0;
});
afterEach(async () => {
  await Promise.all(callers.splice(0).map((caller) => caller.close()));
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
});
afterAll(() => shared.close());

const echo: Bot = async (args) => {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await transport.input.pipeTo(transport.output);
};

const pigeon: TransportPlugin = {
  name: "pigeon",
  open: (runner) => ({
    start: () => ({ sessionId: runner.createSession().id, body: {} }),
    close: async () => undefined,
  }),
};

describe("POST /start", () => {
  const servers = [{ urls: "stun:127.0.0.1:9" }];

  test("answers the session's id, and no iceConfig where there are no servers", async () => {
    const runner = await open(echo);
    const { json, headers } = await start(runner);
    expect(json).toEqual({ sessionId: headers["x-session-id"] });
    expect(runner.sessions.find(String(headers["x-session-id"]))?.state).toBe("pending");
  });

  test("answers the servers that were configured, whatever was asked for", async () => {
    const runner = await open(echo, { pluginOptions: { webrtc: { iceServers: servers } } });
    for (const fields of [{}, { enableDefaultIceServers: true }])
      expect((await start(runner, fields)).json).toEqual({
        sessionId: expect.any(String),
        iceConfig: { iceServers: servers },
      });
  });

  test("answers a server by default only to those who ask for it", async () => {
    const runner = await open(echo);
    const iceConfig = { iceServers: [{ urls: "stun:stun.l.google.com:19302" }] };
    const { json } = await start(runner, { enableDefaultIceServers: true });
    expect(json).toEqual({ sessionId: expect.any(String), iceConfig });
    const { json: other } = await start(runner, { enableDefaultIceServers: "true" });
    expect(other).toEqual({ sessionId: expect.any(String) });
  });
});

describe("the body that the bot receives", () => {
  test.each([
    ["request_data before all", { request_data: "a", requestData: "b" }, "a"],
    ["requestData before that of /start", { requestData: { name: "b" } }, { name: "b" }],
    ["requestData where request_data is null", { request_data: null, requestData: "b" }, "b"],
    ["requestData where request_data is empty", { request_data: "", requestData: "b" }, "b"],
    ["that of /start", {}, "started"],
    ["that of /start where the others are empty", { request_data: 0, requestData: false }, "started"],
    ["that of /start where the others are without content", { request_data: {}, requestData: [] }, "started"],
  ])("%s", async (_, fields, body) => {
    const { sessionId } = (await start(shared, { body: "started" })).json as { readonly sessionId: string };
    await offer(shared, { sessionId, ...fields });
    const args = await botOf(sessionId);
    expect(args).toMatchObject({ transport: "webrtc", body });
    expect(args?.webrtcConnection.pcId).toBe(`${sessionId}.1`);
  });

  test("of one who just comes is that of the offer, or none", async () => {
    for (const [fields, body] of [
      [{ request_data: 1 }, 1],
      [{ requestData: 2 }, 2],
      [{}, undefined],
    ] as const) {
      const { headers } = await offer(shared, fields);
      expect((await botOf(String(headers["x-session-id"])))?.body).toBe(body);
    }
  });
});

describe("an answer", () => {
  test("comes whole, with its length, from each address of the session", async () => {
    for (const address of ["/api/offer", "/sessions/ID/api/offer", "/api/offer?session_id=ID"]) {
      const sessionId = (await start(shared)).headers["x-session-id"] as string;
      const answer = await send(new URL(address.replace("ID", sessionId), shared.url), {
        method: "POST",
        body: { sdp: chromium, type: "offer", pc_id: null, restart_pc: false },
      });
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        "content-length": String(Buffer.byteLength(answer.text)),
        "content-type": expect.stringMatching(/^application\/json/),
        "x-session-id": address.includes("ID") ? sessionId : expect.not.stringMatching(sessionId),
      });
      expect(answer.headers).not.toHaveProperty("transfer-encoding");
      const { sdp, type, pc_id } = answer.json as {
        readonly sdp: string;
        readonly type: string;
        readonly pc_id: string;
      };
      expect(type).toBe("answer");
      expect(pc_id).toBe(`${answer.headers["x-session-id"]}.1`);
      readAnswer(sdp, chromium);
    }
  });

  test("to the ESP32, which sends two keys and no /start, fits into the 4,096 bytes that it reads", async () => {
    const answer = await send(new URL("/api/offer", shared.url), {
      method: "POST",
      body: { sdp: esp32, type: "offer" },
    });
    expect(answer.status).toBe(200);
    expect(Buffer.byteLength(answer.text)).toBeLessThan(4_096);
    readAnswer((answer.json as { readonly sdp: string }).sdp, esp32);
  });
});

describe("what cannot be answered is refused as JSON, and leaves no session", () => {
  test.each([
    ["no SDP", { sdp: undefined }, 400, "BODY_INVALID"],
    ["a number for an SDP", { sdp: 7 }, 400, "BODY_INVALID"],
    ["an answer", { type: "answer" }, 400, "BODY_INVALID"],
    ["a pc_id that is none", { pc_id: 7 }, 400, "BODY_INVALID"],
    ["a restart that is none", { restart_pc: "yes" }, 400, "BODY_INVALID"],
    ["garbage for an SDP", { sdp: "hello" }, 400, "OFFER_INVALID"],
    ["an SDP without audio", { sdp: chromium.replace("m=audio", "m=video") }, 400, "OFFER_INVALID"],
    ["a pc_id that nobody has", { pc_id: "nobody.1" }, 404, "SESSION_UNKNOWN"],
    ["a pc_id that nobody has, to begin anew", { pc_id: "nobody.1", restart_pc: true }, 404, "SESSION_UNKNOWN"],
    ["an empty pc_id", { pc_id: "" }, 404, "SESSION_UNKNOWN"],
    ["a session that nobody has", { sessionId: "nobody" }, 404, "SESSION_UNKNOWN"],
  ])("%s", async (_, fields, status, code) => {
    const before = shared.sessions.counts;
    expect(await offer(shared, fields)).toMatchObject(refusal(status, code));
    expect(shared.sessions.counts).toEqual(before);
  });

  test("a bad offer for a started session, which goes on waiting for a good one", async () => {
    const sessionId = String((await start(shared)).headers["x-session-id"]);
    expect(await offer(shared, { sessionId, sdp: "hello" })).toMatchObject(refusal(400, "OFFER_INVALID"));
    expect(shared.sessions.find(sessionId)?.state).toBe("pending");
    expect((await offer(shared, { sessionId })).status).toBe(200);
  });

  test("a session of another transport's", async () => {
    const runner = await open(echo, { plugins: [plugin, pigeon] });
    const sessionId = String((await start(runner, { transport: "pigeon" })).headers["x-session-id"]);
    expect(await offer(runner, { sessionId })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
    expect(await offer(runner, { pc_id: sessionId })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
  });

  test("a session's own id in place of a pc_id", async () => {
    const sessionId = String((await offer(shared)).headers["x-session-id"]);
    expect(await offer(shared, { pc_id: sessionId })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
  });

  test("a pc_id at another session's address, of an offer and of candidates", async () => {
    const [mine, other] = [await call(shared), String((await offer(shared)).headers["x-session-id"])];
    const fields = { sessionId: other, pc_id: mine.pcId };
    expect(await offer(shared, fields)).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
    expect(await offer(shared, { ...fields, restart_pc: true })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
    expect(await patch(shared, { ...fields, candidates: [] })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
  });

  test("another certificate on a peer that is there", async () => {
    const mine = await call(shared);
    expect(await offer(shared, { pc_id: mine.pcId })).toMatchObject(refusal(400, "OFFER_INVALID"));
    await renegotiate(mine);
  });

  test("a second caller for a session whose caller is there", async () => {
    const mine = await call(shared);
    const sessionId = mine.pcId.split(".")[0] ?? "";
    expect(await offer(shared, { sessionId })).toMatchObject(refusal(409, "SESSION_NOT_PENDING"));
    await renegotiate(mine);
  });

  test("a peer that was replaced", async () => {
    const mine = await call(shared);
    await restart(mine);
    expect(await offer(shared, { pc_id: mine.pcId })).toMatchObject(refusal(409, "CALL_ENDED"));
  });

  test("a call that is over", async () => {
    const mine = await call(shared);
    await mine.hangUp();
    await until("the session is over", () => shared.sessions.find(mine.pcId) === undefined, patienceMs);
    expect(await offer(shared, { pc_id: mine.pcId })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
    expect(await patch(shared, { pc_id: mine.pcId, candidates: [] })).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
  });
});

describe("candidates", () => {
  const candidate = { candidate: "candidate:1 1 udp 1 127.0.0.1 9 typ host", sdp_mid: "0", sdp_mline_index: 0 };

  test.each([
    ["one", [candidate]],
    ["none", []],
    ["the end of them, and a place that is not said", [{ candidate: "" }, { ...candidate, sdp_mid: null }]],
    ["an index alone", [{ candidate: candidate.candidate, sdp_mline_index: 0 }]],
    ["nonsense", [{ candidate: "nonsense", sdp_mid: "nowhere", sdp_mline_index: 99 }]],
  ])("%s", async (_, candidates) => {
    const pc_id = pcIdOf(await offer(shared));
    const answer = await patch(shared, { pc_id, candidates });
    expect(answer).toMatchObject({ status: 200, json: { status: "success" } });
    expect(answer.headers).toHaveProperty("content-length", String(answer.text.length));
    expect(await patch(shared, { sessionId: pc_id.split(".")[0], pc_id, candidates })).toMatchObject({ status: 200 });
  });

  test.each([
    ["of nobody", { pc_id: "nobody.1", candidates: [candidate] }, 404, "SESSION_UNKNOWN"],
    ["without a pc_id", { candidates: [candidate] }, 400, "BODY_INVALID"],
    ["without candidates", { pc_id: "nobody.1" }, 400, "BODY_INVALID"],
    ["that are texts", { pc_id: "nobody.1", candidates: ["candidate:1"] }, 400, "BODY_INVALID"],
    [
      "at a place that is none",
      { pc_id: "x", candidates: [{ ...candidate, sdp_mline_index: -1 }] },
      400,
      "BODY_INVALID",
    ],
  ])("%s are refused", async (_, fields, status, code) => {
    expect(await patch(shared, fields)).toMatchObject(refusal(status, code));
  });

  test("that come before any offer are refused, and the offer after them is answered", async () => {
    const sessionId = String((await start(shared)).headers["x-session-id"]);
    const early = { sessionId, pc_id: `${sessionId}.1`, candidates: [candidate] };
    expect(await patch(shared, early)).toMatchObject(refusal(404, "SESSION_UNKNOWN"));
    expect((await offer(shared, { sessionId })).status).toBe(200);
    expect((await patch(shared, early)).status).toBe(200);
  });

  test("for a peer that was replaced are of no use, and no failure", async () => {
    const runner = await open(echo, { pluginOptions: { webrtc: { announceIp: "127.0.0.1" } } });
    const pc_id = pcIdOf(await offer(runner));
    const next = pcIdOf(await offer(runner, { pc_id, restart_pc: true }));
    const [old, present] = [await listen(), await listen()];
    for (const [id, { port }] of [
      [pc_id, old],
      [next, present],
    ] as const) {
      const candidates = [{ candidate: `candidate:1 1 udp 1 127.0.0.1 ${port} typ host`, sdp_mid: "0" }];
      expect(await patch(runner, { pc_id: id, candidates })).toMatchObject({ status: 200 });
    }
    await until("the other is tried", () => present.received() > 0, patienceMs);
    expect(old.received()).toBe(0);
  });
});

describe("when there is no place", () => {
  test("at capacity a newcomer is answered 429, and those who are there can renegotiate and restart", async () => {
    const runner = await open(echo, { maxSessions: 1 });
    const mine = await call(runner);
    expect(await offer(runner)).toMatchObject(refusal(429, "AT_CAPACITY"));
    await renegotiate(mine);
    await restart(mine);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("one who was started before is answered 429, keeps nothing open, and is let in when there is a place", async () => {
    const runner = await open(echo, { maxSessions: 1 });
    const sessionId = String((await start(runner)).headers["x-session-id"]);
    const mine = await call(runner);
    const before = await countSettledResources();
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await offer(runner, { sessionId })).toMatchObject(refusal(429, "AT_CAPACITY"));
    expect(await settleResources(before)).toEqual([]);
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 1 });
    await mine.hangUp();
    await until("there is a place", () => runner.sessions.counts.active === 0, patienceMs);
    const theirs = await connectCaller(new URL(`/sessions/${sessionId}/api/offer`, runner.url));
    callers.push({ close: () => theirs.hangUp() });
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("while draining a newcomer is answered 503, and those who are there can renegotiate and restart", async () => {
    const runner = await open(echo, { shutdownTimeoutMs: 20_000 });
    const mine = await call(runner);
    const drained = runner.drain();
    expect(await offer(runner)).toMatchObject(refusal(503, "DRAINING"));
    await renegotiate(mine);
    const next = await restart(mine);
    next.channel?.close();
    await within("the runner is drained", drained, patienceMs);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("a range of UDP ports that is used up is answered 503, and the next to come finds one again", async () => {
    const udpPorts = [42_100, 42_101];
    const runner = await open(echo, { pluginOptions: { webrtc: { udpPorts, announceIp: "127.0.0.1" } } });
    const [first, second] = [await offer(runner), await offer(runner)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(await offer(runner)).toMatchObject(refusal(503, "UDP_PORTS_EXHAUSTED"));
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 2 });
    await runner.sessions.find(String(first.headers["x-session-id"]))?.end("ended-by-request");
    expect((await offer(runner)).status).toBe(200);
  });
});

async function open(bot: Bot, options: Partial<RunnerOptions> = {}): Promise<Runner> {
  const runner = createRunner({
    bot,
    plugins: [plugin],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
    ...options,
  });
  runners.push(runner);
  await runner.listen();
  return runner;
}

/** What the shared runner's bot was given in this session, once it runs. */
async function botOf(sessionId: string): Promise<SmallWebRTCRunnerArguments | undefined> {
  const args = () => seen.find((each) => each.sessionId === sessionId);
  await until("the bot runs", () => args() !== undefined, patienceMs);
  return args();
}

function start(runner: Runner, body: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  return send(new URL("/start", runner.url), { method: "POST", body });
}

function request(runner: Runner, method: string, { sessionId, ...body }: Readonly<Record<string, unknown>>) {
  const path = sessionId === undefined ? "/api/offer" : `/sessions/${sessionId}/api/offer`;
  return send(new URL(path, runner.url), { method, body });
}

/** Sends a browser's offer whose media never comes. */
function offer(runner: Runner, fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  return request(runner, "POST", { sdp: chromium, type: "offer", pc_id: null, restart_pc: false, ...fields });
}

function patch(runner: Runner, fields: Readonly<Record<string, unknown>>): Promise<Answer> {
  return request(runner, "PATCH", fields);
}

function pcIdOf({ json }: Answer): string {
  return (json as { readonly pc_id: string }).pc_id;
}

/** Opens a UDP port of the test's own, at the address of this machine alone. */
async function listen(): Promise<{ readonly port: number; received(): number }> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  callers.push(socket);
  let received = 0;
  socket.on("message", () => {
    received += 1;
  });
  await once(socket, "listening");
  return { port: socket.address().port, received: () => received };
}

function refusal(status: number, code: string): object {
  return {
    status,
    headers: { "content-type": expect.stringMatching(/^application\/json/), "content-length": expect.any(String) },
    json: { detail: expect.any(String), code },
  };
}

async function call(runner: Runner): Promise<WebRTCCaller> {
  const caller = await connectCaller(new URL("/api/offer", runner.url));
  callers.push({ close: () => caller.hangUp() });
  return caller;
}

/** Offers anew on the peer there is; fails unless that is answered, and the caller still hears the bot. */
async function renegotiate({ endpoint, pcId, peer }: WebRTCCaller): Promise<void> {
  const answer = await sendOffer(endpoint, { sdp: await peer.offer(), pc_id: pcId });
  expect(answer.pc_id).toBe(pcId);
  await peer.accept(answer.sdp);
  await hears(peer);
}

/** Begins anew with another peer; fails unless it comes up, and the caller hears the bot on it. */
async function restart({ endpoint, pcId }: WebRTCCaller): Promise<PeerCaller> {
  const next = createPeerCaller();
  callers.push(next);
  const answer = await sendOffer(endpoint, { sdp: await next.offer(), pc_id: pcId, restart_pc: true });
  expect(answer.pc_id).toBe(pcId.replace(/1$/, "2"));
  await next.accept(answer.sdp);
  await next.connected(patienceMs);
  await hears(next);
  return next;
}

async function hears({ packets }: PeerCaller): Promise<void> {
  const before = packets.length;
  await until("the caller hears the bot", () => packets.length > before, patienceMs);
}
