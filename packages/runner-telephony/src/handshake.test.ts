import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import { awaitAnnouncement } from "./handshake.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function open(recognise: (message: object) => boolean = ({ event }: { event?: unknown }) => event === "start") {
  const socket = new EventEmitter();
  const closed: [number, string][] = [];
  Object.assign(socket, { close: (code: number, reason: string) => void closed.push([code, reason]) });
  awaitAnnouncement(socket as unknown as WebSocket, recognise);
  const say = (message: unknown, isBinary = false) =>
    socket.emit("message", Buffer.from(typeof message === "string" ? message : JSON.stringify(message)), isBinary);
  return { socket, closed, say };
}

test("reads up to the announcement and not one message further", () => {
  const seen: object[] = [];
  const { say, closed, socket } = open((message) => {
    seen.push(message);
    return seen.length === 2;
  });
  say({ event: "connected" });
  say({ event: "start" });
  say({ event: "media" });
  expect(seen).toEqual([{ event: "connected" }, { event: "start" }]);
  expect(closed).toEqual([]);
  expect(socket.listenerCount("message") + socket.listenerCount("close")).toBe(0);
});

test("closes a socket that sends five messages of no use", () => {
  const { say, closed } = open();
  say("junk");
  say("[]");
  say({ event: "start" }, true);
  say({ event: "media" });
  expect(closed).toEqual([]);
  say({});
  say({ event: "start" });
  expect(closed).toEqual([[1008, "no carrier talks like this"]]);
});

test("takes the announcement as the fifth message", () => {
  const { say, closed } = open();
  for (let n = 0; n < 4; n++) say({});
  say({ event: "start" });
  expect(closed).toEqual([]);
});

test("closes a silent socket after 10 s", () => {
  const { closed } = open();
  vi.advanceTimersByTime(9_999);
  expect(closed).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(closed).toEqual([[1008, "nobody said who calls"]]);
});

test("closes a socket whose first message is above 64 KiB", () => {
  const { say, closed } = open();
  say({ event: "start", filling: "x".repeat(65_536) });
  expect(closed).toEqual([[1009, "the first message is too large"]]);
});

test("forgets a socket that closes", () => {
  const { socket } = open();
  socket.emit("close");
});
