import { createSocket } from "node:dgram";
import { once } from "node:events";
import { tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { sendOffer } from "./caller.ts";
import { createPeerCaller } from "./peer/werift/peer-caller.ts";
import { type BotCall, hearEcho, openFixture } from "./test/fixture.ts";

test("a caller who lost the network returns with a new peer to the same session and bot, with audio and messages in both directions", async () => {
  const { runner, calls, call } = await openFixture();
  const before = await call();
  before.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  await until("the bot is ready", () => before.messages.length > 0, 5_000);
  await hearEcho(before, 440);

  before.peer.cut();
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  expect(after.pcId).toBe(before.pcId.replace(/1$/, "2"));
  await hearEcho(after, 660);
  // The client sends no second client-ready, and gets no second bot-ready.
  const { connection, transport } = calls[0] ?? expect.fail("The bot did not run.");
  const received: unknown[] = [];
  transport.on("appMessage", (message) => received.push(message));
  after.sendMessage("Here again.");
  await until("the bot gets it", () => received.includes("Here again."), 5_000);
  await transport.sendMessage("Welcome back.");
  await until("the caller gets it", () => after.messages.length > 0, 5_000);
  expect(after.messages).toEqual(["Welcome back."]);
  expect(calls).toHaveLength(1);
  expect(connection).toMatchObject({ pcId: after.pcId, state: "connected" });
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("a message sent while the caller is away reaches the caller who returns", async () => {
  const { calls, call } = await openFixture();
  const before = await call();
  await hearEcho(before, 440);
  before.peer.channel?.close();
  await until("the channel is closed", () => before.peer.channel?.readyState === "closed", 2_000);
  const sent = calls[0]?.transport.sendMessage("Are you there?");
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await sent;
  await until("it arrives", () => after.messages.includes("Are you there?"), 2_000);
});

test("messages sent while the network is down reach the caller who returns, once", async () => {
  const { calls, call } = await openFixture();
  const before = await call();
  await hearEcho(before, 440);
  const [{ transport }] = calls as [BotCall];
  await transport.sendMessage("Now.");
  await until("it arrives", () => before.messages.includes("Now."), 2_000);
  before.peer.cut();
  await new Promise((resolve) => setTimeout(resolve, 100)); // Packets on their way arrive.
  const sent = ["Are you there?", "Still there?"].map((text) => transport.sendMessage(text));
  await Promise.all(sent);
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await until("both arrive", () => after.messages.length >= 2, 5_000);
  await transport.sendMessage("Welcome back.");
  await until("the last one arrives", () => after.messages.includes("Welcome back."), 2_000);
  expect(after.messages).toEqual(["Are you there?", "Still there?", "Welcome back."]);
});

test("a caller who closes its channel and replaces the peer stays, however long the new one takes to connect", async () => {
  const { runner, call } = await openFixture();
  const before = await call();
  const peer = createPeerCaller();
  onTestFinished(() => peer.close());
  before.peer.channel?.close();
  const { sdp } = await sendOffer(before.endpoint, {
    sdp: await peer.offer(),
    pc_id: before.pcId,
    restart_pc: true,
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // Twice the grace period.
  await peer.accept(sdp);
  await peer.connected(5_000);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("audio that the bot plays while the caller connects again does not count as played", async () => {
  const { calls, call } = await openFixture();
  const before = await call();
  await hearEcho(before, 440);
  const [{ transport }] = calls as [BotCall];
  const peer = createPeerCaller();
  onTestFinished(() => peer.close());
  const offer = { sdp: await peer.offer(), pc_id: before.pcId, restart_pc: true };
  const { sdp } = await sendOffer(before.endpoint, offer);
  const speech = transport.speak();
  void speech.write(tone(440, { durationMs: 3_000, sampleRate: 16_000 }));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(speech.playedMs).toBe(0);
  await peer.accept(sdp);
  await peer.connected(5_000);
  const { playedMs } = await speech.end();
  expect(playedMs).toBeGreaterThan(200);
  expect(playedMs).toBeLessThan(2_200);
});

test("a caller who restarts when all UDP ports are taken gets the port of its old peer", async () => {
  const port = await freePort();
  const { runner, call } = await openFixture(undefined, undefined, { udpPorts: [port, port], announceIp: "127.0.0.1" });
  const before = await call();
  await expect(call()).rejects.toMatchObject({ status: 503, code: "UDP_PORTS_EXHAUSTED" });
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await hearEcho(after, 440);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("a caller whose restart gets 503, and who closes its old peer, is accepted when it tries again", async () => {
  const [port, other] = [await freePort(), createSocket("udp4").bind(0, "0.0.0.0")];
  await once(other, "listening");
  // Changed below: the plugin reads it for each peer.
  const udpPorts: [number, number] = [port, port];
  const { calls, call } = await openFixture(undefined, undefined, { udpPorts, announceIp: "127.0.0.1" });
  const before = await call();
  const peer = createPeerCaller();
  onTestFinished(() => peer.close());
  udpPorts.fill(other.address().port);
  const offer = { sdp: await peer.offer(), pc_id: before.pcId, restart_pc: true };
  await expect(sendOffer(before.endpoint, offer)).rejects.toMatchObject({ status: 503, code: "UDP_PORTS_EXHAUSTED" });
  before.peer.channel?.close();
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // As the published client does.
  other.close();
  await once(other, "close");
  await peer.accept((await sendOffer(before.endpoint, offer)).sdp);
  await peer.connected(5_000);
  const [{ connection }] = calls as [BotCall];
  expect(connection.state).toBe("connected");
  peer.channel?.close();
  expect(await within("the caller has left", connection.left, 2_000)).toBe("caller-left");
});

test("an offer of a caller who has left is rejected while its bot still runs", async () => {
  const { call } = await openFixture(undefined, new Promise(() => undefined));
  const caller = await call();
  await caller.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await expect(call({ pc_id: caller.pcId, restart_pc: true })).rejects.toMatchObject({
    status: 404,
    code: "SESSION_UNKNOWN",
  });
});

test("a caller whose new peer connects slowly while the bot ends gets peerLeft", async () => {
  const over = Promise.withResolvers<void>();
  const { runner, call } = await openFixture(() => over.promise);
  const before = await call();
  const peer = createPeerCaller();
  onTestFinished(() => peer.close());
  const { sdp } = await sendOffer(before.endpoint, {
    sdp: await peer.offer(),
    pc_id: before.pcId,
    restart_pc: true,
  });
  over.resolve();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await peer.accept(sdp);
  await until("it gets peerLeft", () => peer.texts.some((text) => text.includes("peerLeft")), 2_000);
  await until("the session has ended", () => runner.sessions.counts.active === 0, 2_000);
});

test("a caller who closes its channel and replaces the peer stays; one who only closes it has left", async () => {
  const { runner, calls, call } = await openFixture();
  const before = await call();
  before.peer.channel?.close();
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // Twice the grace period.
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  await hearEcho(after, 440);
  after.peer.channel?.close();
  expect(await calls[0]?.connection.left).toBe("caller-left");
  await until("the session has ended", () => runner.sessions.counts.active === 0, 1_000);
});

test("an offer on the current peer does not affect audio, with or without ICE restart", async () => {
  const { calls, call } = await openFixture();
  const caller = await call();
  await hearEcho(caller, 440);
  calls[0]?.connection.renegotiate();
  await until("the caller gets renegotiate", () => caller.signals.length > 0, 2_000);
  expect(caller.signals).toEqual([{ type: "renegotiate" }]);
  for (const [iceRestart, hz] of [
    [false, 550],
    [true, 660],
  ] as const) {
    const { sdp, pc_id } = await sendOffer(caller.endpoint, {
      sdp: await caller.peer.offer({ iceRestart }),
      pc_id: caller.pcId,
    });
    await caller.peer.accept(sdp);
    expect(pc_id).toBe(caller.pcId);
    await hearEcho(caller, hz);
  }
  expect(calls).toHaveLength(1);
});

test("a peer that was replaced accepts no offers", async () => {
  const { call } = await openFixture();
  const before = await call();
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await expect(call({ pc_id: before.pcId })).rejects.toMatchObject({ code: "CALL_ENDED" });
  await hearEcho(after, 440);
});

/** Returns a free UDP port. */
async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "0.0.0.0");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

test("offers in quick succession are rejected, and the call continues", async () => {
  const { call } = await openFixture();
  const caller = await call();
  const sdp = await caller.peer.offer();
  const offers = Array.from({ length: 100 }, () => sendOffer(caller.endpoint, { sdp, pc_id: caller.pcId }));
  const rejected = (await Promise.allSettled(offers)).filter(({ status }) => status === "rejected");
  expect(rejected.length).toBeGreaterThan(30);
  expect(rejected.length).toBeLessThan(60);
  for (const each of rejected) expect(String((each as PromiseRejectedResult).reason)).toMatch("429");
  await hearEcho(caller, 440);
});
