import { until } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { sendOffer } from "./test/fake-caller.ts";
import { hearOneself, openStage } from "./test/stage.ts";

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
