import type { Clock } from "@pipecat-ts/runner-media";
import { expect, test } from "vitest";
import { encodeAudio, encodeMessage } from "./codec.ts";
import { createWebSocketPort } from "./port.ts";
import { createFakeSocket } from "./test/fake-socket.ts";

test("takes 24 kHz in frames of 40 ms, and none ahead of its time", () => {
  const { port } = open();
  expect(port).toMatchObject({ sampleRates: [24_000], frameMs: 40 });
  expect(port.sendAheadMs ?? 0).toBe(0);
});

test("puts audio on the wire at once, and an interruption on clear", () => {
  const { port, far } = open();
  const frame = { samples: new Int16Array(960).fill(7), sampleRate: 24_000, channels: 1 };
  port.send(frame);
  port.clear?.();
  expect(far.sent).toEqual([hex(encodeAudio(frame)), "2a00"]);
});

test("says how much waits for the caller", () => {
  const { port, far } = open();
  far.waiting = 123_456;
  expect(port.bufferedBytes?.()).toBe(123_456);
});

test("sends messages of up to 1 MiB and rejects larger ones, unsent", async () => {
  const { port, far } = open();
  await port.sendMessage?.({ hello: "you" });
  expect(far.sent).toEqual([hex(encodeMessage({ hello: "you" }))]);

  const overhead = encodeMessage("x".repeat(1_000_000)).byteLength - 1_000_000;
  await port.sendMessage?.("x".repeat(1024 * 1024 - overhead));
  expect(far.sent[1]).toHaveLength(2 * 1024 * 1024);
  await expect(port.sendMessage?.("x".repeat(1024 * 1024 - overhead + 1))).rejects.toMatchObject({
    code: "MESSAGE_TOO_LARGE",
    message: "The message has 1048577 bytes; 1048576 fit.",
  });
  expect(far.sent).toHaveLength(2);
});

test("rejects messages for a caller who has stopped reading", async () => {
  const { port, far } = open();
  far.waiting = 4 * 1024 * 1024 + 1;
  await expect(port.sendMessage?.("hello")).rejects.toMatchObject({ code: "CALLER_NOT_READING", status: 503 });
  expect(far.sent).toEqual([]);
  far.waiting -= 1;
  await port.sendMessage?.("hello");
});

test("rejects messages that JSON cannot say, and those to a caller who has left", async () => {
  const { port, far } = open();
  await expect(port.sendMessage?.(undefined)).rejects.toThrow(TypeError);
  far.leave();
  await expect(port.sendMessage?.("hello")).rejects.toMatchObject({ code: "CALL_ENDED" });
});

test.each([
  ["bot-finished", 1000],
  ["caller-left", 1000],
  ["shutdown", 1001],
  ["bot-failed", 1011],
  ["bot-stuck", 1011],
  ["transport-failed", 1011],
] as const)("closes for %s with %i, and has closed when the caller has", async (reason, code) => {
  const { port, far, timers } = open();
  let closed = false;
  const closing = Promise.resolve(port.close(reason)).then(() => {
    closed = true;
  });
  await Promise.resolve();
  expect(far.calls).toEqual([`close ${code} ${reason}`]);
  expect(closed).toBe(false);
  far.leave();
  await closing;
  expect(timers()).toBe(0);
  expect(far.socket.listenerCount("close")).toBe(0);
});

test("cuts off a caller who does not answer the close for 1 s", async () => {
  const { port, far, advance, timers } = open();
  const closing = port.close("bot-finished");
  advance(999);
  expect(far.calls).toEqual(["close 1000 bot-finished"]);
  advance(1);
  await closing;
  expect(far.calls).toEqual(["close 1000 bot-finished", "terminate"]);
  expect(timers()).toBe(0);
});

test("closes at once when the caller has left already", async () => {
  const { port, far, timers } = open();
  far.leave();
  await port.close("caller-left");
  expect(far.calls).toEqual([]);
  expect(timers()).toBe(0);
});

function open() {
  const far = createFakeSocket();
  const pending = new Set<{ readonly at: number; readonly callback: () => void }>();
  let now = 0;
  const clock: Clock = {
    now: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback };
      pending.add(timer);
      return () => pending.delete(timer);
    },
  };
  return {
    far,
    port: createWebSocketPort(far.socket, { sampleRate: 24_000, clock }),
    timers: () => pending.size,
    advance(ms: number) {
      now += ms;
      for (const timer of pending) {
        if (timer.at > now) continue;
        pending.delete(timer);
        timer.callback();
      }
    },
  };
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}
