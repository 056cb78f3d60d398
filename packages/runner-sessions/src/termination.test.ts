import type { CloseReason, Transport } from "@pipecat-ts/runner-core";
import type { Media } from "@pipecat-ts/runner-media";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDisposables, createTermination } from "./termination.ts";
import { createRecordedLog } from "./test/fixture.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
});

/** A termination that records its steps, on a media layer that plays out and closes when the test says so. */
function begin({ hasMedia = true, closesAtOnce = true } = {}) {
  const steps: string[] = [];
  /** After how many steps the connection was reported as closed. */
  const disconnections: number[] = [];
  const log = createRecordedLog();
  const played = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  if (closesAtOnce) closed.resolve();
  const media: Media = {
    transport: {} as Transport & Media["transport"],
    receiver: {} as Media["receiver"],
    async playOut(cutoff) {
      steps.push("play out");
      cutoff.addEventListener("abort", () => played.resolve(), { once: true });
      if (cutoff.aborted) return;
      await played.promise;
    },
    async close(reason, deadline) {
      steps.push(`close: ${reason}`);
      deadline.addEventListener("abort", () => closed.resolve(), { once: true });
      await closed.promise;
    },
  };
  const termination = createTermination({
    logger: log,
    abort: (reason) => steps.push(`abort: ${reason}`),
    disconnected: () => disconnections.push(steps.length),
    finish: (reason) => steps.push(`finish: ${reason}`),
  });
  if (hasMedia) termination.mediaOpened(media);
  const settle = () => vi.advanceTimersByTimeAsync(0);
  return {
    termination,
    steps,
    disconnections,
    log,
    media,
    settle,
    playedOut: () => played.resolve(),
    closed: () => closed.resolve(),
  };
}

test("the bot returns: its audio plays out, the wire closes, and the session ends with bot-finished", async () => {
  const { termination, steps, playedOut, settle } = begin();
  termination.botReturned();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(steps).toEqual(["play out"]);
  playedOut();
  await settle();
  expect(steps).toEqual(["play out", "close: bot-finished", "finish: bot-finished"]);
});

test("the bot returns without a transport: the session ends with bot-finished", async () => {
  const { termination, steps, settle } = begin({ hasMedia: false });
  termination.botReturned();
  await settle();
  expect(steps).toEqual(["finish: bot-finished"]);
});

test("the caller leaves and the bot returns: caller-left, and nothing is aborted", async () => {
  const { termination, steps, settle } = begin();
  termination.callerLeft("caller-left");
  await vi.advanceTimersByTimeAsync(9_999);
  termination.botReturned();
  await settle();
  expect(steps).toEqual(["close: caller-left", "finish: caller-left"]);
});

test("the bot returns and the caller leaves during playout: the rest is cut off, caller-left", async () => {
  const { termination, steps, settle } = begin();
  termination.botReturned();
  termination.callerLeft("caller-left");
  await settle();
  expect(steps).toEqual(["play out", "close: caller-left", "finish: caller-left"]);
});

test("a bot that continues is aborted 10 s after the caller left, and the session ends with bot-stuck 5 s later", async () => {
  const { termination, steps, log } = begin();
  termination.callerLeft("caller-left");
  await vi.advanceTimersByTimeAsync(9_999);
  expect(steps).not.toContain("abort: caller-left");
  await vi.advanceTimersByTimeAsync(1);
  expect(steps).toContain("abort: caller-left");
  await vi.advanceTimersByTimeAsync(4_999);
  expect(steps).not.toContain("finish: bot-stuck");
  await vi.advanceTimersByTimeAsync(1);
  expect(steps.at(-1)).toBe("finish: bot-stuck");
  expect(log.messages("error")).toEqual(["bot ignored its abort signal"]);
});

test("a bot that stops at its abort signal ends with caller-left", async () => {
  const { termination, steps, settle } = begin();
  termination.callerLeft("caller-left");
  await vi.advanceTimersByTimeAsync(12_000);
  termination.botFailed();
  await settle();
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("a caller who leaves before the transport is built gives the bot 10 s, and closes the transport when it is built", async () => {
  const { termination, steps, media } = begin({ hasMedia: false });
  termination.end("caller-left");
  await vi.advanceTimersByTimeAsync(1_000);
  termination.mediaOpened(media);
  expect(steps).toEqual(["close: caller-left"]);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(steps).toContain("abort: caller-left");
  termination.botReturned();
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("a transport that is built after its caller left has time to close, also when the bot returns at once", async () => {
  const { termination, steps, media, closed, settle } = begin({ hasMedia: false, closesAtOnce: false });
  termination.callerLeft("caller-left");
  const deadlines: AbortSignal[] = [];
  const close = (reason: CloseReason, deadline: AbortSignal) => {
    deadlines.push(deadline);
    return media.close(reason, deadline);
  };
  termination.mediaOpened({ ...media, close });
  termination.botReturned();
  await settle();
  expect(steps).toEqual(["close: caller-left", "finish: caller-left"]);
  expect(deadlines.map(({ aborted }) => aborted)).toEqual([false]);
  closed();
  await settle();
});

test("the bot closes its transport and continues: it has 10 s from then, and the session ends with bot-finished", async () => {
  const { termination, steps, playedOut, settle } = begin();
  termination.closeRequested("bot-finished");
  await vi.advanceTimersByTimeAsync(30_000);
  expect(steps).toEqual(["play out"]);
  playedOut();
  await settle();
  // The caller hangs up in response: the first reason counts.
  termination.callerLeft("caller-left");
  await vi.advanceTimersByTimeAsync(9_999);
  expect(steps.join()).not.toContain("abort");
  termination.botReturned();
  await settle();
  expect(steps.at(-1)).toBe("finish: bot-finished");
});

test("the caller's disconnect while the wire closes does not change the reason", async () => {
  const { termination, steps, playedOut, closed, settle } = begin({ closesAtOnce: false });
  termination.botReturned();
  playedOut();
  await settle();
  expect(steps).toEqual(["play out", "close: bot-finished"]);
  termination.callerLeft("caller-left");
  closed();
  await settle();
  expect(steps.at(-1)).toBe("finish: bot-finished");
});

test("a bot that closed its transport and runs on is aborted after 10 s", async () => {
  const { termination, steps, playedOut, settle } = begin();
  termination.closeRequested("bot-finished");
  playedOut();
  await settle();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(steps.at(-1)).toBe("abort: bot-finished");
  termination.botReturned();
  await settle();
  expect(steps.at(-1)).toBe("finish: bot-finished");
});

test("the bot throws: it is aborted, and the wire closes at once", async () => {
  const { termination, steps, settle } = begin();
  termination.botFailed();
  await settle();
  expect(steps).toEqual(["abort: bot-failed", "close: bot-failed", "finish: bot-failed"]);
});

test.each<CloseReason>(["shutdown", "ended-by-request", "transport-failed", "bot-failed"])(
  "ended with %s: the bot is aborted and the wire closes at once",
  async (reason) => {
    const { termination, steps, settle } = begin();
    termination.end(reason);
    await settle();
    expect(steps).toEqual([`abort: ${reason}`, `close: ${reason}`]);
    await vi.advanceTimersByTimeAsync(4_000);
    termination.botReturned();
    await settle();
    expect(steps.at(-1)).toBe(`finish: ${reason}`);
  },
);

test("a transport that fails aborts the bot at once", async () => {
  const { termination, steps, settle } = begin();
  termination.callerLeft("transport-failed");
  await settle();
  expect(steps).toEqual(["close: transport-failed", "abort: transport-failed"]);
  termination.botReturned();
  await settle();
  expect(steps.at(-1)).toBe("finish: transport-failed");
});

test("a wire that does not close is abandoned after 5 s", async () => {
  const { termination, steps, settle } = begin({ closesAtOnce: false });
  termination.botFailed();
  await vi.advanceTimersByTimeAsync(4_999);
  expect(steps.at(-1)).toBe("close: bot-failed");
  await vi.advanceTimersByTimeAsync(1);
  await settle();
  expect(steps.at(-1)).toBe("finish: bot-failed");
});

test("a connection counts as closed when the wire is, while the bot runs on", async () => {
  const { termination, steps, disconnections, playedOut, closed, settle } = begin({ closesAtOnce: false });
  termination.closeRequested("bot-finished");
  playedOut();
  await settle();
  expect(steps.at(-1)).toBe("close: bot-finished");
  expect(disconnections).toEqual([]);
  closed();
  await settle();
  expect(disconnections).toHaveLength(1);
  termination.botReturned();
});

test("a connection without media counts as closed when the caller leaves, but not when the bot is aborted", async () => {
  const { termination, disconnections, media, settle } = begin({ hasMedia: false });
  termination.end("ended-by-request");
  await settle();
  expect(disconnections, "the caller is still connected").toEqual([]);
  termination.mediaOpened(media);
  await settle();
  expect(disconnections).toHaveLength(1);
  termination.botReturned();

  const other = begin({ hasMedia: false });
  other.termination.callerLeft("caller-left");
  expect(other.disconnections).toHaveLength(1);
  other.termination.botReturned();
  await settle();
});

test("a shutdown cuts off playout", async () => {
  const { termination, steps, settle } = begin();
  termination.botReturned();
  termination.end("shutdown");
  await settle();
  expect(steps).toEqual(["play out", "abort: shutdown", "close: shutdown", "finish: shutdown"]);
});

test("at the time limit, queued audio plays out, and the session ends with time-limit when the bot returns", async () => {
  const { termination, steps, playedOut, settle } = begin();
  termination.end("time-limit");
  await settle();
  expect(steps).toEqual(["play out"]);
  playedOut();
  await settle();
  termination.botReturned();
  expect(steps).toEqual(["play out", "close: time-limit", "finish: time-limit"]);
});

test("a bot that returns while its last audio plays at the time limit ends with time-limit", async () => {
  const { termination, steps, playedOut, settle } = begin();
  termination.end("time-limit");
  termination.botReturned();
  playedOut();
  await settle();
  expect(steps.at(-1)).toBe("finish: time-limit");
});

test.each(["at the time limit", "that the bot had ended the call with before"])(
  "audio %s is cut off after 10 s if it does not end, and the bot has 10 s more",
  async (when) => {
    const { termination, steps } = begin();
    const reason = when === "at the time limit" ? "time-limit" : "bot-finished";
    if (reason === "bot-finished") termination.closeRequested("bot-finished");
    await vi.advanceTimersByTimeAsync(60_000);
    termination.end("time-limit");
    await vi.advanceTimersByTimeAsync(5_000);
    termination.end("time-limit");
    await vi.advanceTimersByTimeAsync(4_999);
    expect(steps).toEqual(["play out"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(steps).toEqual(["play out", `close: ${reason}`]);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(steps.join()).not.toContain("abort");
    await vi.advanceTimersByTimeAsync(1);
    expect(steps.at(-1)).toBe(`abort: ${reason}`);
    termination.botReturned();
    expect(steps.at(-1)).toBe(`finish: ${reason}`);
  },
);

test("the last audio of a bot that has returned is cut off 10 s after the time limit", async () => {
  const { termination, steps } = begin();
  termination.botReturned();
  termination.end("time-limit");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(steps).toEqual(["play out", "close: bot-finished", "finish: bot-finished"]);
});

test("the time limit during the 10 s of a bot whose caller has left changes nothing", async () => {
  const { termination, steps } = begin();
  termination.callerLeft("caller-left");
  await vi.advanceTimersByTimeAsync(5_000);
  termination.end("time-limit");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(steps.at(-1)).toBe("abort: caller-left");
  termination.botReturned();
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("a bot that runs on after the time limit is aborted 10 s later", async () => {
  const { termination, steps, playedOut } = begin();
  termination.end("time-limit");
  playedOut();
  await vi.advanceTimersByTimeAsync(9_900);
  expect(steps).not.toContain("abort: time-limit");
  await vi.advanceTimersByTimeAsync(200);
  expect(steps.at(-1)).toBe("abort: time-limit");
  termination.botReturned();
  expect(steps.at(-1)).toBe("finish: time-limit");
});

test("the first reason counts, and a session finishes once", async () => {
  const { termination, steps, settle } = begin();
  termination.end("ended-by-request");
  termination.end("shutdown");
  termination.end("caller-left");
  termination.callerLeft("caller-left");
  termination.botFailed();
  termination.botReturned();
  await settle();
  termination.forceEnd();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(steps.filter((step) => step.startsWith("finish"))).toEqual(["finish: ended-by-request"]);
  expect(steps.filter((step) => step.startsWith("abort"))).toHaveLength(1);
  expect(steps.filter((step) => step.startsWith("close"))).toHaveLength(1);
});

test("a shutdown during the 10 s of a bot aborts it at once, and the reason stays caller-left", async () => {
  const { termination, steps, settle } = begin();
  termination.callerLeft("caller-left");
  await settle();
  termination.end("shutdown");
  expect(steps).toContain("abort: caller-left");
  termination.botReturned();
  await settle();
  expect(steps.at(-1)).toBe("finish: caller-left");
});

test("nothing begins again after the end", async () => {
  const { termination, steps, settle } = begin({ hasMedia: false });
  termination.botReturned();
  await settle();
  const before = steps.length;
  termination.end("caller-left");
  termination.end("shutdown");
  termination.callerLeft("transport-failed");
  termination.closeRequested("bot-finished");
  await vi.advanceTimersByTimeAsync(100_000);
  expect(steps).toHaveLength(before);
});

test("a forced end does not wait for bot or wire", async () => {
  const { termination, steps, log, settle } = begin({ closesAtOnce: false });
  termination.end("shutdown");
  termination.forceEnd();
  await settle();
  expect(steps.at(-1)).toBe("finish: shutdown");
  expect(log.messages("warn")).toEqual(["bot still ran when the runner closed"]);
});

test("cleanup runs once in reverse order, whatever fails, with a deadline", async () => {
  const log = createRecordedLog();
  const disposables = createDisposables(log);
  const released: string[] = [];
  let deadline: AbortSignal | undefined;
  disposables.add((reason) => released.push(`first: ${reason}`));
  disposables.add(() => {
    released.push("throws");
    throw new Error("stuck");
  });
  disposables.add((_reason, signal) => {
    released.push("hangs");
    deadline = signal;
    return new Promise(() => undefined);
  });
  disposables.add(async () => {
    await null;
    released.push("last");
  });
  const disposed = disposables.disposeAll("ended-by-request");
  await vi.advanceTimersByTimeAsync(4_999);
  expect(deadline?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await disposed;
  expect(deadline?.aborted).toBe(true);
  expect(released).toEqual(["last", "hangs", "throws", "first: ended-by-request"]);
  expect(log.messages("error")).toEqual(["cleanup did not end in time", "cleanup failed"]);
  disposables.add((reason) => released.push(`late: ${reason}`));
  expect(released.at(-1)).toBe("late: ended-by-request");
});
