import { setTimeout } from "node:timers/promises";
import { syllables } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import { requestStart, speak } from "@pipecat-ts/runner-core/caller";
import { findVoice, join, measurePitch, until } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLiveKitCaller } from "./caller.ts";
import type { LiveKitClient, LiveKitParticipant, RoomConnection, RoomListener } from "./client.ts";
import { type LiveKitRunnerOptions, openLiveKitRunner } from "./test/livekit-runner.ts";

/** A runner with fake rooms, and calls to it. */
async function open(options?: LiveKitRunnerOptions) {
  const fixture = await openLiveKitRunner(options);
  const line = await createLiveKitCaller(() => fixture.rooms.client).open({});
  const { url } = fixture.runner;
  async function dial(body?: unknown) {
    const caller = await line.dial({ url, start: await requestStart("livekit", { url }, body) });
    onTestFinished(() => caller.hangUp());
    return caller;
  }
  return { ...fixture, line, dial };
}

test("a caller hears the bot, and messages pass both ways", async () => {
  const { dial, transports, ended, rooms } = await open();
  const caller = await dial();
  const [transport] = transports;
  const received: unknown[] = [];
  transport?.on("appMessage", (message) => void received.push(message));
  caller.sendMessage?.({ type: "custom" });
  await until("the message arrives", () => received.length > 0, 5_000);
  await transport?.sendMessage({ text: "Grüße" });
  await until("the answer arrives", () => caller.messages?.length === 1, 5_000);
  expect([received, caller.messages]).toEqual([[{ type: "custom" }], [{ text: "Grüße" }]]);
  await speak(caller, syllables(220, { durationMs: 600, sampleRate: caller.sampleRate }));
  const heard = () => join(caller.playout.played().map(({ frame }) => frame));
  await until("the caller hears itself", () => findVoice(heard()) !== undefined, 5_000);
  expect(measurePitch(heard())).toBeCloseTo(220, -1);
  await caller.hangUp();
  expect(await caller.closed).toEqual({ reason: "" });
  expect(await ended()).toEqual(["caller-left"]);
  expect(rooms.count).toBe(0);
});

test("a bot that ends the call closes it, and a lost room is a lost connection", async () => {
  const { dial, transports, rooms, calls } = await open();
  const first = await dial();
  await transports[0]?.close();
  expect(await first.closed).toEqual({ reason: expect.stringMatching(/ROOM_DELETED|the bot left/) });
  const second = await dial();
  const own = rooms.bots(calls[1]?.roomName ?? "").find(({ request }) => request.hearsAgents === true);
  own?.listener.disconnected("SERVER_SHUTDOWN");
  expect(await second.closed).toEqual({ reason: "SERVER_SHUTDOWN", lost: true });
});

test("in a shared room, the call ends when its bots leave", async () => {
  const { dial, runner, api } = await open({ livekit: { roomName: "lobby" } });
  const caller = await dial();
  for (const session of runner.sessions) void session.end("ended-by-request");
  expect(await caller.closed).toEqual({ reason: "the bot left the room" });
  expect([...api.rooms.keys()]).toEqual(["lobby"]);
});

test("a bot that fails before it joins ends the call, and nobody stays in the room", async () => {
  const { dial, rooms } = await open();
  rooms.failJoin(new Error("no network"));
  // The room is deleted before the caller joins, or afterwards.
  await expect(dial()).rejects.toMatchObject({ message: expect.stringMatching(/404|ROOM_DELETED/) });
  await until("the room is empty", () => rooms.count === 0, 5_000);
});

const start = { sessionId: "1", reply: { url: "ws://localhost:7880", token: "token" } };
const url = new URL("http://localhost:7860");
const agent: LiveKitParticipant = { identity: "bot", name: "", metadata: "", attributes: {}, kind: "agent" };

/** A caller whose join is `join`. */
async function openWith(join: LiveKitClient["join"]) {
  return await createLiveKitCaller(() => ({ check: () => ({ state: "ready" }), join })).open({});
}

/** A connection that counts how often it is closed. */
function connect() {
  const close = vi.fn(async () => undefined);
  return { close } as unknown as RoomConnection & { readonly close: typeof close };
}

test.each([
  ["leaves", (listener: RoomListener) => listener.participantLeft("bot"), "the bot left the room"],
  ["deletes its room", (listener: RoomListener) => listener.disconnected("ROOM_DELETED"), "ROOM_DELETED"],
])("a bot that joins and %s while the caller still joins ends the call", async (_, leave, reason) => {
  const connection = connect();
  const line = await openWith((_request, listener) => {
    listener.participantJoined(agent);
    leave(listener);
    return Promise.resolve(connection);
  });
  const caller = await line.dial({ url, start });
  expect(await caller.closed).toEqual({ reason });
  expect(connection.close).toHaveBeenCalledOnce();
});

test("a dial that is aborted stops the join, and leaves a room without a bot", async () => {
  const stop = new AbortController();
  const joining = await openWith(async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw new Error("aborted");
  });
  const first = joining.dial({ url, start, signal: stop.signal });
  const connection = connect();
  const waiting = await openWith(async () => connection);
  const second = waiting.dial({ url, start, signal: stop.signal });
  stop.abort();
  await expect(first).rejects.toThrow("aborted");
  await expect(second).rejects.toThrow("aborted");
  expect(connection.close).toHaveBeenCalledOnce();
});

test("a call is answered when the bot joins, although the caller waits until the bot receives audio", async () => {
  let listener: RoomListener | undefined;
  const line = await openWith(async (_request, given) => {
    given.participantJoined(agent);
    listener = given;
    return connect();
  });
  const dialing = line.dial({ url, start });
  await setTimeout(60);
  listener?.heard();
  const { answeredAtMs = Number.NaN, hangUp } = await dialing;
  expect(performance.now() - answeredAtMs).toBeGreaterThan(50);
  await hangUp();
});

test("a caller that cannot join in time gets a fix without flags of the transport", async () => {
  const line = await openWith(async () => {
    throw new RunnerError("LIVEKIT_JOIN_TIMEOUT", "Late.", { fix: "Raise --livekit-join-timeout." });
  });
  await expect(line.dial({ url, start })).rejects.toMatchObject({
    code: "LIVEKIT_JOIN_TIMEOUT",
    fix: expect.not.stringContaining("--livekit"),
  });
});

test("a reply without a room is rejected", async () => {
  const { line, runner } = await open();
  const start = { sessionId: "1", reply: { wsUrl: "ws://localhost" } };
  await expect(line.dial({ url: runner.url, start })).rejects.toMatchObject({ code: "CALL_REJECTED" });
});
