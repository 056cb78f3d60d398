import { type CallerSocket, RunnerError, type Session, type SocketUpgrade } from "@pipecat-ts/runner-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createResumableSocket, createResumptions, graceMs, maxHeldBytes } from "./resumption.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function open() {
  const events: string[] = [];
  const releases: (() => void)[] = [];
  const session = {
    id: "5f",
    logger: { info: (_: unknown, text?: string) => void events.push(text ?? String(_)) },
    onEnd: (release: () => void) => void releases.push(release),
  } as unknown as Session;
  /** A socket that writes at most `writes` messages. The others are under way until it is terminated. */
  const createSocket = (name: string, writes = Number.POSITIVE_INFINITY) => {
    const lost = Promise.withResolvers<void>();
    let count = 0;
    return {
      raw: {
        terminate() {
          events.push(`${name} terminated`);
          lost.resolve();
        },
      },
      async write(data: string) {
        if (data.length > maxHeldBytes) throw new RunnerError("MESSAGE_TOO_LARGE", "too large");
        if (++count > writes) {
          await lost.promise;
          throw new RunnerError("CALL_ENDED", "lost");
        }
        events.push(`${name} writes ${data}`);
      },
      bufferedBytes: 7,
      close: async () => void events.push(`${name} closes`),
    } as unknown as CallerSocket;
  };
  const first = createSocket("first");
  const socket = createResumableSocket(first, session, () => {
    events.push("left");
    for (const release of releases) release();
  });
  return { session, events, first, createSocket, socket };
}

test("the caller has left after the grace period, and messages that wait for it are rejected", async () => {
  const { socket, first, events } = open();
  expect(socket.closed(first, 1006)).toBe("hold");
  const waiting = expect(socket.write("one")).rejects.toMatchObject({ code: "CALL_ENDED" });
  await vi.advanceTimersByTimeAsync(graceMs - 1);
  expect(events).toEqual(["caller lost its connection"]);
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
  expect(events).toEqual(["caller lost its connection", "left"]);
});

test("the wire is full until the caller is back, so that audio counts as dropped", async () => {
  const { socket, first, createSocket } = open();
  expect(socket.bufferedBytes).toBe(7);
  socket.closed(first, 1006);
  expect(socket.bufferedBytes).toBe(Number.POSITIVE_INFINITY);
  socket.replace(createSocket("second"));
  await vi.advanceTimersByTimeAsync(0);
  expect(socket.bufferedBytes).toBe(7);
  await socket.close("bot-finished", new AbortController().signal);
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

test("messages under way when a socket is lost arrive on the next one, in order and once", async () => {
  const { socket, first, createSocket, events } = open();
  const second = createSocket("second", 1);
  const dead = createSocket("dead", 0);
  const sent = ["a", "b"].map((text) => socket.write(text));
  await Promise.all(sent);
  socket.replace(dead);
  const lost = ["c", "d"].map((text) => socket.write(text));
  await vi.advanceTimersByTimeAsync(0);
  // The bot speaks while the lost socket gives its messages back.
  socket.replace(second);
  lost.push(socket.write("e"));
  await vi.advanceTimersByTimeAsync(0);
  second.raw.terminate();
  expect(socket.closed(second, 1006)).toBe("hold");
  socket.replace(createSocket("third"));
  await Promise.all(lost);
  expect(events.filter((event) => event.includes("writes"))).toEqual([
    "first writes a",
    "first writes b",
    "second writes c",
    "third writes d",
    "third writes e",
  ]);
  expect(socket.closed(first, 1006), "a lost socket").toBe(undefined);
  await socket.close("bot-finished", new AbortController().signal);
});

test("messages under way are rejected when the caller hangs up", async () => {
  const { socket, createSocket } = open();
  const second = createSocket("second", 0);
  socket.replace(second);
  const waiting = expect(socket.write("one")).rejects.toMatchObject({ code: "CALL_ENDED" });
  await vi.advanceTimersByTimeAsync(0);
  second.raw.terminate();
  await vi.advanceTimersByTimeAsync(0);
  socket.closed(second, 1000);
  await waiting;
});

test("a message above the limit is too large, also while the caller is gone", async () => {
  const { socket, first } = open();
  const large = "x".repeat(maxHeldBytes + 1);
  await expect(socket.write(large)).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  socket.closed(first, 1006);
  await expect(socket.write(large)).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  await socket.close("bot-finished", new AbortController().signal);
});

function openResumable() {
  const fixture = open();
  const secret = "a-secret-of-22-letters";
  const resumptions = createResumptions();
  resumptions.add(fixture.session, { secret, socket: fixture.socket, message: () => undefined });
  const upgrade = { session: fixture.session, url: new URL(`ws://localhost/?resume=${secret}`) } as SocketUpgrade;
  return {
    ...fixture,
    allows: () => resumptions.allows(upgrade),
    finds: () => resumptions.find(fixture.session, secret) !== undefined,
  };
}

test.each<[string, (call: ReturnType<typeof openResumable>) => unknown]>([
  ["the bot has closed the call", ({ socket }) => socket.close("bot-finished", new AbortController().signal)],
  ["the caller has hung up", ({ socket, first }) => socket.closed(first, 1000)],
  ["the grace period is over", () => vi.advanceTimersByTimeAsync(graceMs)],
])("a call cannot be resumed when %s", async (_, end) => {
  const call = openResumable();
  expect([call.allows(), call.finds()]).toEqual([true, true]);
  if (!_.includes("hung up")) call.socket.closed(call.first, 1006);
  await end(call);
  expect([call.allows(), call.finds()]).toEqual([false, false]);
});

test("a caller resumes ten times at once, and then has to wait 2 s", () => {
  const { allows } = openResumable();
  expect(Array.from({ length: 11 }, allows)).toEqual([...Array(10).fill(true), false]);
  vi.advanceTimersByTime(1_999);
  expect(allows()).toBe(false);
  vi.advanceTimersByTime(2);
  expect([allows(), allows()]).toEqual([true, false]);
});
