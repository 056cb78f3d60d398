import { until, within } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { timeoutMs, useBrowserCalls } from "./test/browser-calls.ts";
import { recordEvents } from "./test/fake-rooms.ts";

// Participants are announced before the bot is admitted, which Daily may do.
const { server, start, openRoom, join } = await useBrowserCalls({ admission: async () => undefined });

test("a caller who joined before the bot is announced in order, and audio and messages work", async () => {
  const room = await openRoom();
  const caller = await join(room, "Ann");
  const { transport } = await start("/start", { transport: "daily" }, { roomUrl: room.reply.dailyRoom });
  await transport.sendMessage({ from: "bot" });
  const events = recordEvents(
    transport,
    "joined",
    "callStateUpdated",
    "firstParticipantJoined",
    "participantJoined",
    "clientConnected",
  );
  await until("the caller is connected", () => events.some(([name]) => name === "clientConnected"), timeoutMs);
  expect(events.map(([name]) => name)).toEqual([
    "joined",
    "callStateUpdated",
    "firstParticipantJoined",
    "participantJoined",
    "clientConnected",
  ]);
  expect([...transport.participants.values()]).toMatchObject([{ info: { userName: "Ann" } }]);
  await until(
    "the caller receives audio and the message",
    () => caller.received.length > 0 && caller.messages.length > 0,
    timeoutMs,
  );
  expect(caller.messages).toEqual([{ from: "bot" }]);
  caller.sendMessage({ from: "Ann" });
  const [message] = await within(
    "the message arrives",
    new Promise<unknown[]>((resolve) => {
      transport.on("appMessage", (...values) => resolve(values));
    }),
    timeoutMs,
  );
  expect(message).toEqual({ from: "Ann" });
});

test("bots of two sessions in one room share a caller, and leave after it", async () => {
  const room = await openRoom();
  const inRoom = () => start("/start", { transport: "daily" }, { roomUrl: room.reply.dailyRoom });
  const calls = [await inRoom(), await inRoom()];
  const connected = calls.map(({ transport }) => recordEvents(transport, "clientConnected"));
  await until(
    "they see each other",
    () => calls.every(({ transport }) => transport.participants.size === 1),
    timeoutMs,
  );
  const [transport] = calls.map((call) => call.transport);
  const [other = ""] = transport?.participants.keys() ?? [];
  let receivedMs = 0;
  void transport?.listenTo(other).pipeTo(
    new WritableStream({
      write() {
        receivedMs += 20;
      },
    }),
  );
  await until("500 ms of the other bot have arrived", () => receivedMs > 500, timeoutMs);
  expect(connected).toEqual([[], []]);
  const caller = await join(room);
  await until("the caller is connected to both", () => connected.every((events) => events.length === 1), timeoutMs);
  await caller.hangUp();
  const reasons = Promise.all(calls.map(({ transport }) => transport.closed));
  expect(await within("both leave", reasons, timeoutMs)).toEqual(["caller-left", "caller-left"]);
  await until("the room is empty", () => server.names(room.room).length === 0, timeoutMs);
});
