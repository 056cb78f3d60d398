import type { CallerSocket, Session } from "@pipecat-ts/runner-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createResumableSocket, graceMs } from "./resumption.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function open() {
  const events: string[] = [];
  const releases: (() => void)[] = [];
  const session = {
    logger: { info: (_: unknown, text?: string) => void events.push(text ?? String(_)) },
    onEnd: (release: () => void) => void releases.push(release),
  } as unknown as Session;
  const createSocket = (name: string) =>
    ({
      raw: { terminate: () => void events.push(`${name} terminated`) },
      send: () => void events.push(`${name} sends`),
      write: async (data: string) => void events.push(`${name} writes ${data}`),
      close: async () => void events.push(`${name} closes`),
    }) as unknown as CallerSocket;
  const first = createSocket("first");
  const socket = createResumableSocket(first, session, () => {
    events.push("left");
    for (const release of releases) release();
  });
  return { events, first, createSocket, socket };
}

test("the caller has left after the grace period, and messages that wait for it are rejected", async () => {
  const { socket, first, events } = open();
  expect(socket.closed(first, 1006)).toBe("keep");
  const waiting = expect(socket.write("one")).rejects.toMatchObject({ code: "CALL_ENDED" });
  await vi.advanceTimersByTimeAsync(graceMs - 1);
  expect(events).toEqual(["caller lost its connection"]);
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
  expect(events).toEqual(["caller lost its connection", "left"]);
});

test("at most 50 messages wait, and they arrive in order", async () => {
  const { socket, first, createSocket, events } = open();
  socket.closed(first, 1006);
  const waiting = Array.from({ length: 50 }, (_, index) => socket.write(String(index)));
  await expect(socket.write("50")).rejects.toMatchObject({ code: "CALLER_NOT_READING" });
  socket.replace(createSocket("second"));
  await Promise.all(waiting);
  await vi.advanceTimersByTimeAsync(graceMs);
  expect(events.slice(1)).toEqual([
    "first terminated",
    "caller returned",
    ...Array.from({ length: 50 }, (_, index) => `second writes ${index}`),
  ]);
  await socket.close("bot-finished", new AbortController().signal);
});

test.each([1000, 1001, 1005, 1008])("a caller that closes with %d does not return", (code) => {
  const { socket, first } = open();
  expect(socket.closed(first, code)).toBe(undefined);
});
