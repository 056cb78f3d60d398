import type { Bot } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { countSettledResources, settleResources, until, within } from "@pipecat-ts/runner-testing";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connectCaller, sendOffer, type WebRTCCaller } from "./caller.ts";
import { createPeerCaller, type PeerCaller } from "./peer/werift/peer-caller.ts";
import { echo, listen, offer, patch, rejection, start } from "./test/fixture.ts";

const timeoutMs = 10_000;
let shared: Runner;
beforeAll(async () => {
  shared = await listen(echo);
});
afterAll(() => shared.close());

async function open(bot: Bot, options: Parameters<typeof listen>[1] = {}): Promise<Runner> {
  const runner = await listen(bot, options);
  onTestFinished(() => runner.close());
  return runner;
}

describe("an offer is rejected, and the live call continues:", () => {
  test("a pc_id at the URL of another session, also for candidates", async () => {
    const [caller, other] = [await call(shared), String((await offer(shared)).headers["x-session-id"])];
    const fields = { sessionId: other, pc_id: caller.pcId };
    expect(await offer(shared, fields)).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
    expect(await offer(shared, { ...fields, restart_pc: true })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
    expect(await patch(shared, { ...fields, candidates: [] })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
  });

  test("another certificate for a live peer", async () => {
    const caller = await call(shared);
    expect(await offer(shared, { pc_id: caller.pcId })).toMatchObject(rejection(400, "OFFER_INVALID"));
    await renegotiate(caller);
  });

  test("a second caller for a session", async () => {
    const caller = await call(shared);
    const sessionId = caller.pcId.split(".")[0] ?? "";
    expect(await offer(shared, { sessionId })).toMatchObject(rejection(409, "SESSION_NOT_PENDING"));
    await renegotiate(caller);
  });

  test("the pc_id of a peer that was replaced", async () => {
    const caller = await call(shared);
    await restart(caller);
    expect(await offer(shared, { pc_id: caller.pcId })).toMatchObject(rejection(409, "CALL_ENDED"));
  });
});

test("after a call has ended, its pc_id is unknown", async () => {
  const { pcId, hangUp } = await call(shared);
  await hangUp();
  const [sessionId = ""] = pcId.split(".");
  await until("the session has ended", () => shared.sessions.find(sessionId) === undefined, timeoutMs);
  expect(await offer(shared, { pc_id: pcId })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
  expect(await patch(shared, { pc_id: pcId, candidates: [] })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
});

describe("at capacity", () => {
  test("new callers get 429, and live callers can renegotiate and restart", async () => {
    const runner = await open(echo, { maxSessions: 1 });
    const caller = await call(runner);
    expect(await offer(runner)).toMatchObject(rejection(429, "AT_CAPACITY"));
    await renegotiate(caller);
    await restart(caller);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("the caller of a started session gets 429, leaves nothing open, and is accepted when there is capacity", async () => {
    const runner = await open(echo, { maxSessions: 1 });
    const sessionId = String((await start(runner)).headers["x-session-id"]);
    const first = await call(runner);
    const before = await countSettledResources();
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await offer(runner, { sessionId })).toMatchObject(rejection(429, "AT_CAPACITY"));
    expect(await settleResources(before)).toEqual([]);
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 1 });
    await first.hangUp();
    await until("there is capacity", () => runner.sessions.counts.active === 0, timeoutMs);
    const second = await connectCaller(new URL(`/sessions/${sessionId}/api/offer`, runner.url));
    onTestFinished(() => second.hangUp());
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });
});

test("while draining, new callers get 503, and live callers can renegotiate and restart", async () => {
  const runner = await open(echo, { shutdownTimeoutMs: 20_000 });
  const caller = await call(runner);
  const drained = runner.drain();
  expect(await offer(runner)).toMatchObject(rejection(503, "DRAINING"));
  await renegotiate(caller);
  const next = await restart(caller);
  next.channel?.close();
  await within("the runner has drained", drained, timeoutMs);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
});

async function call(runner: Runner): Promise<WebRTCCaller> {
  const caller = await connectCaller(new URL("/api/offer", runner.url));
  onTestFinished(() => caller.hangUp());
  return caller;
}

/** Sends another offer on the current peer. Fails unless it is answered and the caller still receives audio. */
async function renegotiate({ endpoint, pcId, peer }: WebRTCCaller): Promise<void> {
  const answer = await sendOffer(endpoint, { sdp: await peer.offer(), pc_id: pcId });
  expect(answer.pc_id).toBe(pcId);
  await peer.accept(answer.sdp);
  await receiveAudio(peer);
}

/** Replaces the peer. Fails unless the new one connects and receives audio. */
async function restart({ endpoint, pcId }: WebRTCCaller): Promise<PeerCaller> {
  const next = createPeerCaller();
  onTestFinished(() => next.close());
  const answer = await sendOffer(endpoint, { sdp: await next.offer(), pc_id: pcId, restart_pc: true });
  expect(answer.pc_id).toBe(pcId.replace(/1$/, "2"));
  await next.accept(answer.sdp);
  await next.connected(timeoutMs);
  await receiveAudio(next);
  return next;
}

async function receiveAudio({ packets }: PeerCaller): Promise<void> {
  const before = packets.length;
  await until("the caller receives audio", () => packets.length > before, timeoutMs);
}

test("a runner that closes waits less than 3 s for a caller that is still connecting", async () => {
  const runner = await listen(echo);
  const { status } = await offer(runner);
  expect(status).toBe(200);
  const beganMs = performance.now();
  await runner.close();
  expect(performance.now() - beganMs).toBeLessThan(3_000);
});
