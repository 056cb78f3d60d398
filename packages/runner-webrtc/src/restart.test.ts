import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createRecordingLogger, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { createPeerCaller } from "./peer/werift/test/peer-caller.ts";
import { sendOffer } from "./test/fake-caller.ts";
import { type BotsCall, hearOneself, openStage } from "./test/stage.ts";
import { createWebRTCTransport } from "./transport.ts";

// Callers set up encrypted connections, which takes a machine with other work its time.
vi.setConfig({ testTimeout: 30_000 });

test("a caller whose network broke comes back with a new peer: same session and bot, messages and sound both ways", async () => {
  const { runner, calls, call } = await openStage();
  const before = await call();
  before.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  await until("the bot is ready", () => before.messages.length > 0, 5_000);
  await hearOneself(before, 440);

  before.peer.cut();
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  expect(after.pcId).toBe(before.pcId.replace(/1$/, "2"));
  await hearOneself(after, 660);
  // The client does not send client-ready again, and nobody says again that the bot is ready.
  const { connection, transport } = calls[0] ?? expect.fail("The bot was not called.");
  const told: unknown[] = [];
  transport.on("appMessage", (message) => told.push(message));
  after.sendMessage("Here again.");
  await until("the bot is told", () => told.includes("Here again."), 5_000);
  await transport.sendMessage("Welcome back.");
  await until("the caller is told", () => after.messages.length > 0, 5_000);
  expect(after.messages).toEqual(["Welcome back."]);
  expect(calls).toHaveLength(1);
  expect(connection).toMatchObject({ pcId: after.pcId, state: "connected" });
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("what the bot writes while its caller is away is read by the caller who came back", async () => {
  const { calls, call } = await openStage();
  const before = await call();
  await hearOneself(before, 440);
  before.peer.channel?.close();
  await until("the channel is closed", () => before.peer.channel?.readyState === "closed", 2_000);
  const sent = calls[0]?.transport.sendMessage("Are you there?");
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await sent;
  await until("it is read", () => after.messages.includes("Are you there?"), 2_000);
});

test("what the bot writes while the network is away unnoticed is read by the caller who came back, once", async () => {
  const { calls, call } = await openStage();
  const before = await call();
  await hearOneself(before, 440);
  const [{ transport }] = calls as [BotsCall];
  await transport.sendMessage("Now.");
  await until("it is read", () => before.messages.includes("Now."), 2_000);
  before.peer.cut();
  const sent = ["Are you there?", "Still there?"].map((text) => transport.sendMessage(text));
  await Promise.all(sent);
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await until("both are read", () => after.messages.length >= 2, 5_000);
  await transport.sendMessage("Welcome back.");
  await until("the last is read", () => after.messages.includes("Welcome back."), 2_000);
  expect(after.messages).toEqual(["Are you there?", "Still there?", "Welcome back."]);
});

test("a caller who closes its channel and replaces the peer stays, however far away its new one is", async () => {
  const { runner, call } = await openStage();
  const before = await call();
  const peer = createPeerCaller();
  onTestFinished(() => peer.close());
  before.peer.channel?.close();
  const { sdp } = await sendOffer(before.endpoint, {
    sdp: await peer.offer(),
    pc_id: before.pcId,
    restart_pc: true,
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // twice as long as one who leaves is waited for
  await peer.accept(sdp);
  await peer.connected(5_000);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("a caller who begins anew where all ports are taken has its own", async () => {
  const port = await freePort();
  const { runner, call } = await openStage(undefined, undefined, { udpPorts: [port, port], announceIp: "127.0.0.1" });
  const before = await call();
  await expect(call()).rejects.toThrow(/^503 .*UDP_PORTS_EXHAUSTED/);
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await hearOneself(after, 440);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("a caller whose new peer was refused for now, and who closes the old one, is let in when it tries again", async () => {
  const [port, other] = [await freePort(), createSocket("udp4").bind(0, "0.0.0.0")];
  await once(other, "listening");
  const udpPorts: [number, number] = [port, port];
  const logger = createRecordingLogger();
  const { transport, connection } = await createWebRTCTransport({ logger, udpPorts, announceIp: "127.0.0.1" });
  onTestFinished(() => transport.close("shutdown"));
  const [before, after] = [createPeerCaller(), createPeerCaller()];
  onTestFinished(async () => void (await Promise.all([before.close(), after.close()])));
  const { sdp, pcId } = await connection.answer({ sdp: await before.offer() });
  await before.accept(sdp);
  await before.connected(5_000);

  udpPorts.fill(other.address().port);
  const again = { sdp: await after.offer(), pcId, restart: true };
  await expect(connection.answer(again)).rejects.toMatchObject({ code: "UDP_PORTS_EXHAUSTED", status: 503 });
  before.channel?.close();
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // as the published client
  other.close();
  await once(other, "close");
  const answered = await connection.answer(again);
  await after.accept(answered.sdp);
  await after.connected(5_000);
  expect(connection.state).toBe("connected");
  after.channel?.close();
  expect(await within("who leaves then has left", connection.left, 2_000)).toBe("caller-left");
});

test("one who has left is not answered, though its bot needs time to end", async () => {
  const { call } = await openStage(undefined, new Promise(() => undefined));
  const caller = await call();
  await caller.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await expect(call({ pc_id: caller.pcId, restart_pc: true })).rejects.toThrow(/^409 .*CALL_ENDED/);
});

test("a caller whose new peer is on the way as the bot ends is told that there is nobody", async () => {
  const over = Promise.withResolvers<void>();
  const { runner, call } = await openStage(() => over.promise);
  const before = await call();
  const peer = createPeerCaller();
  onTestFinished(() => peer.close());
  const { sdp } = await sendOffer(before.endpoint, {
    sdp: await peer.offer(),
    pc_id: before.pcId,
    restart_pc: true,
  });
  over.resolve();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await peer.accept(sdp);
  await until("it is told", () => peer.texts.some((text) => text.includes("peerLeft")), 2_000);
  await until("the session ended", () => runner.sessions.counts.active === 0, 2_000);
});

test("a caller who closes its channel is waited for: one who replaces the peer stays, one who does not has left", async () => {
  const { runner, calls, call } = await openStage();
  const before = await call();
  before.peer.channel?.close();
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // twice as long as a caller is waited for
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  await hearOneself(after, 440);
  after.peer.channel?.close();
  expect(await calls[0]?.connection.left).toBe("caller-left");
  await until("the session ended", () => runner.sessions.counts.active === 0, 1_000);
});

test("on the peer there is, an offer changes nothing that is heard, with a new way or without", async () => {
  const { calls, call } = await openStage();
  const caller = await call();
  await hearOneself(caller, 440);
  calls[0]?.connection.renegotiate();
  await until("the caller is asked", () => caller.signals.length > 0, 2_000);
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
    await hearOneself(caller, hz);
  }
  expect(calls).toHaveLength(1);
});

test("a peer that was replaced takes no offers, and a second caller is refused", async () => {
  const { call } = await openStage();
  const before = await call();
  const after = await call({ pc_id: before.pcId, restart_pc: true });
  await expect(call({ pc_id: before.pcId })).rejects.toThrow(/^4\d\d .*CALL_ENDED/);
  await hearOneself(after, 440);
});

/** A UDP port that nobody has. */
async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "0.0.0.0");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
