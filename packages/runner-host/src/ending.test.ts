import type { CloseReason } from "@pipecat-ts/runner-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createEnding } from "./ending.ts";
import { recordLog } from "./test/recorded-log.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
});

/** An ending whose steps are written down, over a transport that closes when the test says so. */
function begin({ transport = true } = {}) {
  const steps: string[] = [];
  const log = recordLog();
  let closed: () => void = () => undefined;
  const whenClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const ending = createEnding(
    {
      hangUp: async (reason, atOnce) => {
        steps.push(`hang up${atOnce ? " at once" : ""}: ${reason}`);
        if (transport) await whenClosed;
      },
      abort: (reason) => steps.push(`abort: ${reason}`),
      finish: (reason) => steps.push(`finish: ${reason}`),
    },
    log,
  );
  const close = async (reason: CloseReason) => {
    ending.transportClosed(reason);
    closed();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { ending, steps, log, close };
}

test("the bot returns: its transport plays out, and the session ends as bot-finished", async () => {
  const { ending, steps, close } = begin();
  ending.botReturned();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(steps).toEqual(["hang up: bot-finished"]);
  await close("bot-finished");
  expect(steps).toEqual(["hang up: bot-finished", "finish: bot-finished"]);
});

test("the bot returns without ever making a transport", async () => {
  const { ending, steps } = begin({ transport: false });
  ending.botReturned();
  await vi.advanceTimersByTimeAsync(0);
  expect(steps.at(-1)).toBe("finish: bot-finished");
});

test("the caller leaves and the bot notices and returns: caller-left, nothing aborted", async () => {
  const { ending, steps, close } = begin();
  await close("caller-left");
  await vi.advanceTimersByTimeAsync(9_999);
  ending.botReturned();
  await vi.advanceTimersByTimeAsync(0);
  expect(steps).toEqual(["hang up: caller-left", "finish: caller-left"]);
});

test("the caller leaves and the bot returns before the transport is closed: still caller-left", async () => {
  const { ending, steps, close } = begin();
  ending.botReturned();
  await close("caller-left");
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("a bot that runs on is aborted 10 s after the caller left, and given up as bot-stuck 5 s later", async () => {
  const { steps, log, close } = begin();
  await close("caller-left");
  await vi.advanceTimersByTimeAsync(9_999);
  expect(steps).not.toContain("abort: caller-left");
  await vi.advanceTimersByTimeAsync(1);
  expect(steps).toContain("abort: caller-left");
  await vi.advanceTimersByTimeAsync(4_999);
  expect(steps).not.toContain("finish: bot-stuck");
  await vi.advanceTimersByTimeAsync(1);
  expect(steps.at(-1)).toBe("finish: bot-stuck");
  expect(log.messages("error").join()).toContain("still runs 5 s after its signal was aborted");
});

test("a bot that stops when told to ends as caller-left, not as stuck", async () => {
  const { ending, steps, close } = begin();
  await close("caller-left");
  await vi.advanceTimersByTimeAsync(12_000);
  ending.botFailed();
  await vi.advanceTimersByTimeAsync(0);
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("a session that is said to be left before the bot connected leaves the bot its 10 s", async () => {
  const { ending, steps } = begin({ transport: false });
  ending.end("caller-left");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(steps).toEqual(["hang up: caller-left", "abort: caller-left", "hang up at once: caller-left"]);
  ending.botReturned();
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("the bot hangs up itself and works on: it has 10 s, and the session ends as bot-finished", async () => {
  const { ending, steps, close } = begin();
  // The wire's end is often told as the caller's leaving: the transport knows better.
  ending.end("caller-left");
  await close("bot-finished");
  await vi.advanceTimersByTimeAsync(5_000);
  ending.botReturned();
  expect(steps.at(-1)).toBe("finish: bot-finished");
  expect(steps.join()).not.toContain("abort");
});

test("the bot throws: aborted and hung up at once, bot-failed", async () => {
  const { ending, steps, close } = begin();
  ending.botFailed();
  expect(steps).toEqual(["abort: bot-failed", "hang up at once: bot-failed"]);
  await close("bot-failed");
  expect(steps.at(-1)).toBe("finish: bot-failed");
});

test.each(["shutdown", "ended-by-request", "transport-failed", "bot-failed"] as const)(
  "ended by %s: aborted at once, and given up 5 s later",
  async (reason) => {
    const { ending, steps, close } = begin();
    ending.end(reason);
    expect(steps).toEqual([`abort: ${reason}`, `hang up at once: ${reason}`]);
    await close(reason);
    await vi.advanceTimersByTimeAsync(4_000);
    ending.botReturned();
    expect(steps.at(-1)).toBe(`finish: ${reason}`);
  },
);

test("a transport that fails under the bot aborts at once", async () => {
  const { ending, steps, close } = begin();
  await close("transport-failed");
  expect(steps[0]).toBe("abort: transport-failed");
  ending.botReturned();
  expect(steps.at(-1)).toBe("finish: transport-failed");
});

test("a transport that does not close is given up 5 s after the abort, under the bot's own reason", async () => {
  const { ending, steps, log } = begin();
  ending.botFailed();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(steps.at(-1)).toBe("finish: bot-failed");
  expect(log.messages("error").join()).toContain("did not close");
});

test("what a bot left to be played is cut off after ten minutes", async () => {
  const { ending, steps } = begin();
  ending.botReturned();
  await vi.advanceTimersByTimeAsync(599_999);
  expect(steps).toEqual(["hang up: bot-finished"]);
  await vi.advanceTimersByTimeAsync(5_001);
  expect(steps).toEqual([
    "hang up: bot-finished",
    "abort: bot-finished",
    "hang up at once: bot-finished",
    "finish: bot-finished",
  ]);
});

test("a shutdown cuts what the bot left to be played", async () => {
  const { ending, steps, close } = begin();
  ending.botReturned();
  ending.end("shutdown");
  expect(steps).toContain("hang up at once: shutdown");
  await close("bot-finished");
  expect(steps.at(-1)).toBe("finish: shutdown");
});

test("the first reason counts, and a session finishes once", async () => {
  const { ending, steps, close } = begin();
  ending.end("ended-by-request");
  ending.end("shutdown");
  ending.end("caller-left");
  ending.botFailed();
  await close("caller-left");
  ending.botReturned();
  ending.giveUp();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(steps.filter((step) => step.startsWith("finish"))).toEqual(["finish: ended-by-request"]);
  expect(steps.filter((step) => step.startsWith("abort"))).toHaveLength(1);
});

test("a shutdown while the bot has its 10 s aborts it at once, and the caller still left", async () => {
  const { ending, steps, close } = begin();
  await close("caller-left");
  ending.end("shutdown");
  expect(steps).toContain("abort: caller-left");
  ending.botReturned();
  await vi.advanceTimersByTimeAsync(0);
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("nothing begins again after the end", async () => {
  const { ending, steps } = begin({ transport: false });
  ending.botReturned();
  await vi.advanceTimersByTimeAsync(0);
  const before = steps.length;
  ending.end("caller-left");
  ending.end("shutdown");
  ending.transportClosed("transport-failed");
  await vi.advanceTimersByTimeAsync(100_000);
  expect(steps).toHaveLength(before);
});

test("giving up ends a bot that still runs as shutdown", () => {
  const { ending, steps, log } = begin();
  ending.end("shutdown");
  ending.giveUp();
  expect(steps.at(-1)).toBe("finish: shutdown");
  expect(log.messages("warn")).toHaveLength(1);
});
