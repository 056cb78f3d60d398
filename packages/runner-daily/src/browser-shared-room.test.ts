import { until, within } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { patienceMs, told, useBrowserCalls } from "./test/browser-calls.ts";

// Those who are there are told of before the bot knows that it is in, which Daily may do.
const { server, start, openRoom, enter } = await useBrowserCalls({ letIn: async () => undefined });

test("a caller who was there first is told in order, and hears and is heard", async () => {
  const room = await openRoom();
  const caller = await enter(room, "Ann");
  const { transport } = await start("/start", { transport: "daily" }, { roomUrl: room.reply.dailyRoom });
  await transport.sendMessage({ from: "bot" });
  const events = told(
    transport,
    "joined",
    "callStateUpdated",
    "firstParticipantJoined",
    "participantJoined",
    "clientConnected",
  );
  await until("the caller is connected", () => events.some(([name]) => name === "clientConnected"), patienceMs);
  expect(events.map(([name]) => name)).toEqual([
    "joined",
    "callStateUpdated",
    "firstParticipantJoined",
    "participantJoined",
    "clientConnected",
  ]);
  expect([...transport.participants.values()]).toMatchObject([{ info: { userName: "Ann" } }]);
  await until("the caller hears the bot", () => caller.arrivals.length > 0 && caller.messages.length > 0, patienceMs);
  expect(caller.messages).toEqual([{ from: "bot" }]);
  caller.sendMessage({ from: "Ann" });
  const [message] = await within(
    "it comes",
    new Promise<unknown[]>((resolve) => {
      transport.on("appMessage", (...values) => resolve(values));
    }),
    patienceMs,
  );
  expect(message).toEqual({ from: "Ann" });
});

test("bots of two sessions in one room are both there for one caller, and go with them", async () => {
  const room = await openRoom();
  const inRoom = () => start("/start", { transport: "daily" }, { roomUrl: room.reply.dailyRoom });
  const calls = [await inRoom(), await inRoom()];
  const connected = calls.map(({ transport }) => told(transport, "clientConnected"));
  await until(
    "they know of each other",
    () => calls.every(({ transport }) => transport.participants.size === 1),
    patienceMs,
  );
  const [transport] = calls.map((call) => call.transport);
  const [other = ""] = transport?.participants.keys() ?? [];
  let heardMs = 0;
  void transport?.listenTo(other).pipeTo(
    new WritableStream({
      write() {
        heardMs += 20;
      },
    }),
  );
  await until("one would have taken the other for a caller", () => heardMs > 500, patienceMs);
  expect(connected).toEqual([[], []]);
  const caller = await enter(room);
  await until("the caller is connected to both", () => connected.every((events) => events.length === 1), patienceMs);
  await caller.hangUp();
  const reasons = Promise.all(calls.map(({ transport }) => transport.closed));
  expect(await within("both leave", reasons, patienceMs)).toEqual(["caller-left", "caller-left"]);
  await until("the room is empty", () => server.names(room.room).length === 0, patienceMs);
});
