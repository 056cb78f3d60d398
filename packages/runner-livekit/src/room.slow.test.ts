import { setTimeout as sleep } from "node:timers/promises";
import { send, until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import type { RoomListener } from "./client.ts";
import { openLiveKitRunner } from "./test/livekit-runner.ts";
import type { LiveKitTransport, LiveKitTransportEvents } from "./transport.ts";

/** Records the events with these names, buffered ones included, as `[name, ...args]`. */
function record(transport: LiveKitTransport, ...names: (keyof LiveKitTransportEvents)[]): unknown[][] {
  const events: unknown[][] = [];
  for (const name of names) transport.on(name, (...args: unknown[]) => void events.push([name, ...args]));
  return events;
}

const agent = { identity: "agent-2", name: "Other", metadata: "", attributes: {}, kind: "agent" };

describe("a bot in a room", () => {
  test("gets its participants as events, and the call ends when the last caller leaves", async () => {
    const { call, ended } = await openLiveKitRunner();
    const { transport, bot, caller } = await call();
    const events = record(
      transport,
      "joined",
      "firstParticipantJoined",
      "participantJoined",
      "participantLeft",
      "clientConnected",
      "left",
    );
    await until("the caller is connected", () => events.some(([name]) => name === "clientConnected"), 5_000);
    expect(transport.localParticipant).toMatchObject({ kind: "agent", name: expect.stringMatching(/^Pipecat Agent-/) });
    expect([...transport.participants.keys()]).toEqual([caller.identity]);
    bot.listener.participantJoined(agent);
    expect(transport.participants.size).toBe(2);
    await caller.hangUp();
    expect(await ended()).toEqual(["caller-left"]);
    const person = expect.objectContaining({ identity: caller.identity, kind: "standard" });
    expect(events.map(([name]) => name).sort()).toEqual([
      "clientConnected",
      "firstParticipantJoined",
      "joined",
      "left",
      "participantJoined",
      "participantJoined",
      "participantLeft",
    ]);
    expect(events).toContainEqual(["firstParticipantJoined", person]);
    expect(events).toContainEqual(["participantLeft", person, "CLIENT_INITIATED"]);
  });

  test("leaves when no caller comes", async () => {
    const { start, ended, rooms, api } = await openLiveKitRunner({ params: { emptyRoomTimeoutMs: 50 } });
    await start();
    await until("the bot joins", () => [...api.rooms.keys()].some((room) => rooms.bots(room).length > 0), 5_000);
    expect(await ended()).toEqual(["caller-left"]);
    await until("the room is deleted", () => api.rooms.size === 0, 5_000);
  });

  test("waits for its caller for longer than LiveKit keeps rooms by default", async () => {
    const { api, call, ended, logger } = await openLiveKitRunner();
    api.defaultTimeouts = { empty: 0.1, departure: 0.1 };
    const { caller } = await call(undefined, { joinAfterMs: 400 });
    await caller.hangUp();
    expect(await ended()).toEqual(["caller-left"]);
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("of a shared room waits for its caller after the caller of another session left", async () => {
    const { api, call, ended } = await openLiveKitRunner({ livekit: { roomName: "lobby" } });
    api.defaultTimeouts = { empty: 0.1, departure: 0.1 };
    const first = await call();
    await first.caller.hangUp();
    const second = await call(undefined, { joinAfterMs: 400 });
    expect(second.bot.closed).toBe(false);
    await second.caller.hangUp();
    expect(await ended()).toEqual(["caller-left", "caller-left"]);
  });

  test("of a shared room does not leave with the caller of another session before its own caller has come", async () => {
    const { call, start, ended, rooms, transports, runner } = await openLiveKitRunner({
      livekit: { roomName: "lobby" },
    });
    const first = await call();
    const { token = "" } = (await start()).json as Readonly<Record<string, string>>;
    await until("both bots see the caller", () => transports[1]?.participants.size === 2, 5_000);
    await first.caller.hangUp();
    await until("bot 1 leaves", () => runner.sessions.counts.active === 1, 5_000);
    await sleep(50);
    expect(runner.sessions.counts.active).toBe(1);
    const caller = await rooms.join(token);
    await caller.hangUp();
    expect(await ended()).toEqual(["caller-left", "caller-left"]);
  });

  test("of a shared room is not connected to a caller of another session who left at once, but to its own", async () => {
    const { start, rooms, transports } = await openLiveKitRunner({ livekit: { roomName: "lobby" } });
    const { token = "" } = (await start()).json as Readonly<Record<string, string>>;
    await until("the bot is in the room", () => transports.length === 1, 5_000);
    const events = transports[0] ? record(transports[0], "clientConnected") : [];
    const { listener } = rooms.bots("lobby")[0] ?? {};
    const other = { identity: "User-01234567", name: "", metadata: "", attributes: {}, kind: "standard" };
    listener?.participantJoined(other, true);
    listener?.participantLeft(other.identity, "CLIENT_INITIATED");
    await sleep(2_300);
    expect(events).toEqual([]);
    await rooms.join(token);
    await until("its caller is connected", () => events.length === 1, 3_000);
  });

  test("of a shared room leaves with the last caller when its own caller did not come in time", async () => {
    const { call, start, ended, transports, runner } = await openLiveKitRunner({
      livekit: { roomName: "lobby" },
      params: { emptyRoomTimeoutMs: 200 },
    });
    const first = await call();
    await start();
    await until("bot 2 sees the caller", () => transports[1]?.participants.size === 2, 5_000);
    await sleep(400);
    expect(runner.sessions.counts.active).toBe(2);
    await first.caller.hangUp();
    expect(await ended()).toEqual(["caller-left", "caller-left"]);
  });

  test("of a shared room leaves with a phone that joined after it, but not with one that was there before", async () => {
    const { start, ended, rooms, transports, runner } = await openLiveKitRunner({ livekit: { roomName: "lobby" } });
    await start();
    await until("the bot is in the room", () => transports.length === 1, 5_000);
    const { listener } = rooms.bots("lobby")[0] ?? {};
    const phone = { name: "", metadata: "", attributes: {}, kind: "sip" };
    listener?.participantJoined({ ...phone, identity: "sip_1" }, true);
    listener?.participantLeft("sip_1", "CLIENT_INITIATED");
    expect(runner.sessions.counts.active).toBe(1);
    listener?.participantJoined({ ...phone, identity: "sip_2" });
    listener?.participantLeft("sip_2", "CLIENT_INITIATED");
    expect(await ended()).toEqual(["caller-left"]);
  });

  test.each([
    [5, 15, 80],
    [600, 15, 675],
    [0, 15, 86_400],
  ])(
    "that waits %s s, and %s s for the join, is in a room that LiveKit keeps for %s s",
    async (wait, join, seconds) => {
      const { api, start } = await openLiveKitRunner({ livekit: { emptyRoomTimeout: wait, joinTimeout: join } });
      await start();
      expect([...api.timeouts.values()]).toEqual([{ empty: seconds, departure: seconds }]);
    },
  );

  test("whose room LiveKit closes before a caller joins ends without an error", async () => {
    const { start, ended, rooms, api, logger } = await openLiveKitRunner();
    await start();
    const [room = ""] = api.rooms.keys();
    await until("the bot joins", () => rooms.bots(room).length > 0, 5_000);
    api.closeRoom(room);
    expect(await ended()).toEqual(["caller-left"]);
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("leaves when the time to wait for a caller passed while it reconnected", async () => {
    const { start, ended, rooms, api, runner } = await openLiveKitRunner({ params: { emptyRoomTimeoutMs: 100 } });
    await start();
    const [room = ""] = api.rooms.keys();
    await until("the bot joins", () => rooms.bots(room).length > 0, 5_000);
    const { listener } = rooms.bots(room)[0] ?? {};
    listener?.reconnecting();
    await sleep(300);
    expect(runner.sessions.counts.active).toBe(1);
    listener?.reconnected();
    expect(await ended()).toEqual(["caller-left"]);
  });

  test("does not count agents as callers", async () => {
    const { start, ended, rooms, api } = await openLiveKitRunner({ params: { emptyRoomTimeoutMs: 100 } });
    await start();
    const [room = ""] = api.rooms.keys();
    await until("the bot joins", () => rooms.bots(room).length > 0, 5_000);
    rooms.bots(room)[0]?.listener.participantJoined(agent);
    expect(await ended()).toEqual(["caller-left"]);
  });

  test("waits for a caller that joins again, and while it reconnects", async () => {
    const { call, runner, ended } = await openLiveKitRunner();
    const { bot, caller } = await call();
    await sleep(50);
    const returning = { identity: caller.identity, name: "", metadata: "", attributes: {}, kind: "standard" };
    bot.listener.participantLeft(caller.identity);
    bot.listener.participantJoined(returning);
    bot.listener.participantLeft(caller.identity);
    bot.listener.reconnecting();
    await sleep(1_200);
    expect(runner.sessions.counts.active).toBe(1);
    bot.listener.participantJoined(returning);
    bot.listener.reconnected();
    bot.listener.participantLeft(caller.identity);
    expect(await ended()).toEqual(["caller-left"]);
  });

  test("does not take a phone that rings for a caller that hears it", async () => {
    const { start, rooms, api, transports } = await openLiveKitRunner();
    await start();
    await until("the bot is in the room", () => transports.length > 0, 5_000);
    const [room = ""] = api.rooms.keys();
    const { listener } = rooms.bots(room)[0] ?? {};
    const [transport] = transports;
    const phone = { identity: "sip_1", name: "", metadata: "", kind: "sip" };
    const withStatus = (status: string) => ({ ...phone, attributes: { "sip.callStatus": status } });
    const events = transport ? record(transport, "clientConnected", "participantAttributesChanged") : [];
    listener?.participantJoined(withStatus("dialing"));
    const ringingTone = { samples: new Int16Array(16_000), sampleRate: 16_000, channels: 1 } as const;
    listener?.audio(phone.identity, ringingTone);
    await sleep(2_300);
    expect(events).toEqual([]);
    listener?.attributesChanged(withStatus("active"));
    expect(events).toEqual([["participantAttributesChanged", withStatus("active")]]);
    expect(transport?.participants.get(phone.identity)).toEqual(withStatus("active"));
    listener?.attributesChanged({ ...withStatus("active"), identity: "stranger" });
    expect(events).toHaveLength(1);
    await until("the phone hears the bot", () => events.some(([name]) => name === "clientConnected"), 3_000);
  });

  test.each([
    [
      "audio",
      (listener?: RoomListener) =>
        listener?.audio("sip_1", { samples: new Int16Array(8_000), sampleRate: 16_000, channels: 1 }),
    ],
    ["a subscription", (listener?: RoomListener) => listener?.heard()],
  ])("takes a phone without a call status for a caller after %s", async (_, answer) => {
    const { start, rooms, api, transports } = await openLiveKitRunner();
    await start();
    await until("the bot is in the room", () => transports.length > 0, 5_000);
    const [room = ""] = api.rooms.keys();
    const { listener } = rooms.bots(room)[0] ?? {};
    const events = transports[0] ? record(transports[0], "clientConnected") : [];
    listener?.participantJoined({ identity: "sip_1", name: "", metadata: "", attributes: {}, kind: "sip" });
    await sleep(2_300);
    expect(events).toEqual([]);
    answer(listener);
    expect(events).toHaveLength(1);
  });

  test("reports why LiveKit disconnected it", async () => {
    const { call, ended } = await openLiveKitRunner();
    const { transport, bot } = await call();
    const errors = record(transport, "error");
    bot.listener.disconnected("DUPLICATE_IDENTITY");
    expect(await ended()).toEqual(["transport-failed"]);
    expect(errors).toMatchObject([
      ["error", { code: "LIVEKIT_CALL_LOST", message: expect.stringContaining("DUPLICATE_IDENTITY") }],
    ]);
  });

  test("ignores data that is not a JSON object, and disconnects a caller that floods it", async () => {
    const { call, logger, ended } = await openLiveKitRunner();
    const { transport, caller } = await call();
    const messages = record(transport, "appMessage");
    for (const data of [
      "",
      "{",
      "[1]",
      "1",
      "null",
      new Uint8Array([0xff]),
      `{"a":"${"x".repeat(70_000)}"}`,
      "[".repeat(1_000),
    ]) {
      caller.sendRaw(data);
    }
    caller.sendMessage({ n: 1 });
    await until("the message arrives", () => messages.length > 0, 5_000);
    expect(messages).toEqual([["appMessage", { n: 1 }, caller.identity]]);
    expect(logger.lines.filter(({ message }) => message.startsWith("data packet skipped"))).toHaveLength(1);
    for (let n = 0; n < 10_000; n++) caller.sendRaw("{");
    expect(await ended()).toEqual(["rate-exceeded"]);
  });

  test("announces at most 1,000 participants", async () => {
    const { call } = await openLiveKitRunner();
    const { transport, bot } = await call();
    await until("the caller is present", () => transport.participants.size === 1, 5_000);
    for (let n = 0; n < 1_100; n++) bot.listener.participantJoined({ ...agent, identity: `agent-${n}` });
    expect(transport.participants.size).toBe(1_000);
  });

  test("sends messages to one participant, keys and metadata, and mutes participants", async () => {
    const { call } = await openLiveKitRunner();
    const { transport, bot, caller } = await call();
    await until("the caller is present", () => transport.participants.size === 1, 5_000);
    await transport.sendMessageTo("nobody", { n: 1 });
    await transport.sendMessageTo(caller.identity, { n: 2 });
    await expect(transport.sendMessage("x".repeat(70_000))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    await transport.sendDtmf("#");
    await expect(transport.sendDtmf("12")).rejects.toMatchObject({ code: "DTMF_INVALID" });
    await transport.setMetadata("busy");
    transport.muteParticipant(caller.identity);
    expect(bot.actions).toEqual([
      ["dtmf", 11, "#"],
      ["metadata", "busy"],
      ["subscribed", caller.identity, false],
    ]);
    await until("the message arrives", () => caller.messages.length > 0, 5_000);
    expect(caller.messages).toEqual([{ n: 2 }]);
  });
});

test.each([
  [{ audioOutSampleRate: 44_150 }, "audioOutSampleRate"],
  [{ emptyRoomTimeoutMs: -1 }, "emptyRoomTimeoutMs"],
])("the params %j are rejected", async (params, name) => {
  const { start, errors } = await openLiveKitRunner({ params });
  await start();
  await until("the bot fails", () => errors.length > 0, 5_000);
  expect(errors).toMatchObject([{ code: "OPTION_INVALID", message: expect.stringContaining(name) }]);
});

test("a session that ends during the join leaves nothing behind", async () => {
  const { start, rooms, runner, ended, errors, calls } = await openLiveKitRunner();
  rooms.failJoin("hang");
  await start();
  await until("the bot joins", () => calls.length > 0, 5_000);
  await sleep(20);
  for (const { id } of runner.sessions) {
    void send(new URL(`/sessions/${id}`, runner.url), { method: "DELETE" });
  }
  expect(await ended()).toEqual(["ended-by-request"]);
  expect(errors).toMatchObject([{ code: "TRANSPORT_NOT_CONNECTED" }]);
});
