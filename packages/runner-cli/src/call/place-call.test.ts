import { cut, silence, tone } from "@pipecat-ts/audio";
import {
  type CallEnd,
  type Caller,
  type CallerLine,
  type CallInvitation,
  callRejected,
  createPlayout,
} from "@pipecat-ts/runner-core/caller";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CallPlan, type CallTarget, placeCall } from "./place-call.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A caller without a wire. `say` lets the bot speak, `end` lets the bot hang up. */
function fakeCaller() {
  const playout = createPlayout();
  const sent: number[] = [];
  const messages: unknown[] = [];
  const keys: string[] = [];
  const closed = Promise.withResolvers<CallEnd>();
  const state = { hungUp: 0, dropped: 0 };
  const caller: Caller = {
    sampleRate: 16_000,
    playout,
    messages,
    sendAudio: ({ samples }) => sent.push(Math.max(...samples)),
    press: (key) => keys.push(key),
    async hangUp() {
      state.hungUp += 1;
      playout.close();
      closed.resolve({ code: 1000, reason: "" });
    },
    drop() {
      state.dropped += 1;
    },
    closed: closed.promise,
  };
  const say = (durationMs: number) => {
    for (const frame of cut(tone(440, { durationMs }))) playout.enqueue(frame);
  };
  return { caller, sent, messages, keys, state, playout, say, end: closed.resolve };
}

const plan: CallPlan = {
  audioAt: (sampleRate) => tone(300, { durationMs: 400, sampleRate }),
  bargeInMs: undefined,
  keys: [],
  hangUpMs: undefined,
};

function place(dial: CallerLine["dial"], change: Partial<CallPlan> = {}, signal = new AbortController().signal) {
  const target: CallTarget = {
    plugin: { apiVersion: 1, name: "fake", starts: false, open: () => ({ dial }) },
    line: { dial },
    url: new URL("http://localhost:7860"),
    publicUrl: undefined,
    key: undefined,
    body: undefined,
  };
  return placeCall(target, { ...plan, ...change }, {}, signal);
}

test("a call whose caller cannot press the keys fails, and is hung up", async () => {
  const { caller, state } = fakeCaller();
  const { press: _, ...withoutKeys } = caller;
  const { failure } = await place(async () => withoutKeys, { keys: [{ keys: "1", atMs: 100 }] });
  expect(failure).toEqual({
    code: "OPTION_INVALID",
    message: "--dtmf: the caller of fake cannot press keys. Omit --dtmf.",
  });
  expect(state.hungUp).toBe(1);
});

test("the caller speaks, is silent afterwards, and hangs up after 2 s without audio of the bot", async () => {
  const { caller, sent, state, say } = fakeCaller();
  const placing = place(async () => caller);
  await vi.advanceTimersByTimeAsync(300);
  say(1_000);
  await vi.advanceTimersByTimeAsync(2_900);
  expect(state.hungUp).toBe(0);
  await vi.advanceTimersByTimeAsync(300);
  const { figures, end, failure } = await placing;
  expect(state.hungUp).toBe(1);
  expect(sent.slice(1, 20).every((peak) => peak > 1_000)).toBe(true);
  expect(sent.slice(21).every((peak) => peak === 0)).toBe(true);
  expect(end).toEqual({ by: "caller", code: 1000, reason: "" });
  expect(failure).toBe(undefined);
  expect(figures).toMatchObject({ answerMs: 0, firstAudioMs: 300, heardMs: 1_000, gaps: 0 });
});

test("an aborted dial aborts the caller's signal, and a caller may have been answered before its dial resolved", async () => {
  const stop = new AbortController();
  let given: CallInvitation | undefined;
  const aborted = place(
    (invitation) => {
      given = invitation;
      return new Promise(() => undefined);
    },
    {},
    stop.signal,
  );
  await vi.advanceTimersByTimeAsync(10);
  expect(given?.signal?.aborted).toBe(false);
  stop.abort();
  expect((await aborted).failure).toMatchObject({ code: "CALL_INTERRUPTED" });
  expect(given?.signal?.aborted).toBe(true);

  const { caller } = fakeCaller();
  const placing = place(
    async () => {
      const answeredAtMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return { ...caller, answeredAtMs };
    },
    { hangUpMs: 1_000 },
  );
  await vi.advanceTimersByTimeAsync(6_000);
  expect((await placing).figures.answerMs).toBe(0);
});

test("--hang-up sets the duration, and keys are pressed in time", async () => {
  const { caller, keys } = fakeCaller();
  const placing = place(async () => caller, {
    hangUpMs: 5_000,
    keys: [
      { keys: "1", atMs: 1_000 },
      { keys: "42", atMs: 2_000 },
    ],
  });
  await vi.advanceTimersByTimeAsync(1_500);
  expect(keys).toEqual(["1"]);
  await vi.advanceTimersByTimeAsync(3_499);
  expect(keys).toEqual(["1", "4", "2"]);
  await vi.advanceTimersByTimeAsync(1);
  expect((await placing).figures.durationMs).toBe(5_000);
});

test("without --hang-up, the caller stays until its last key is pressed", async () => {
  const { caller, keys } = fakeCaller();
  const placing = place(async () => caller, { keys: [{ keys: "12", atMs: 70_000 }] });
  await vi.advanceTimersByTimeAsync(69_900);
  expect(keys).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([keys, (await placing).end?.by]).toEqual([["1", "2"], "caller"]);
});

test("--barge-in speaks this long after the bot begins to, and measures until it is silent", async () => {
  const { caller, sent, playout, say } = fakeCaller();
  const placing = place(async () => caller, { bargeInMs: 1_000 });
  await vi.advanceTimersByTimeAsync(2_000);
  say(10_000);
  await vi.advanceTimersByTimeAsync(900);
  expect(sent.every((peak) => peak === 0)).toBe(true);
  await vi.advanceTimersByTimeAsync(200);
  expect(sent.some((peak) => peak > 0)).toBe(true);
  await vi.advanceTimersByTimeAsync(200);
  playout.clear();
  await vi.advanceTimersByTimeAsync(3_000);
  const { bargeInMs = 0 } = (await placing).figures;
  expect(bargeInMs).toBeGreaterThanOrEqual(200);
  expect(bargeInMs).toBeLessThanOrEqual(400);
});

test("a bot that never speaks does not keep a caller who wants to interrupt it", async () => {
  const { caller } = fakeCaller();
  const placing = place(async () => caller, { bargeInMs: 1_000 });
  await vi.advanceTimersByTimeAsync(13_000);
  expect((await placing).figures.bargeInMs).toBe(undefined);
});

test.each([
  [{ code: 1000, reason: "bot-finished" }, undefined],
  [{ reason: "" }, undefined],
  [
    { code: 1011, reason: "bot-failed" },
    { code: "CALL_FAILED", message: "The call ended with 1011 bot-failed." },
  ],
  [
    { code: 1006, reason: "" },
    { code: "CALL_FAILED", message: "The call ended with 1006." },
  ],
  [{ reason: "peerLeft" }, undefined],
  [
    { reason: "connection failed", lost: true as const },
    { code: "CALL_FAILED", message: "The call ended with connection failed." },
  ],
])("when the bot ends the call with %j, the failure is %j", async (close, failure) => {
  const { caller, end, state } = fakeCaller();
  const placing = place(async () => caller);
  await vi.advanceTimersByTimeAsync(100);
  end(close);
  const result = await placing;
  expect([result.failure, result.end]).toEqual([failure, { ...close, by: "bot" }]);
  expect(state.hungUp).toBe(0);
});

test.each(["bot", "caller"])("a fatal RTVI error fails the call that the %s ends, with its text", async (by) => {
  const { caller, end, messages } = fakeCaller();
  const placing = place(async () => caller, { hangUpMs: 1_000 });
  messages.push({ label: "rtvi-ai", type: "error", data: { error: "A warning.", fatal: false } });
  messages.push({ label: "rtvi-ai", type: "error", data: { error: "No API key.", fatal: true } });
  if (by === "bot") end({ reason: "peerLeft" });
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await placing).failure).toEqual({ code: "CALL_FAILED", message: "The bot failed: No API key." });
});

test("an abort hangs up", async () => {
  const { caller, state } = fakeCaller();
  const stop = new AbortController();
  const placing = place(async () => caller, { hangUpMs: 60_000 }, stop.signal);
  await vi.advanceTimersByTimeAsync(500);
  stop.abort();
  expect((await placing).end).toMatchObject({ by: "caller" });
  expect(state.hungUp).toBe(1);
});

test.each([
  [
    callRejected({ status: 401, text: '{"detail":"Send the key.","code":"KEY_REQUIRED"}' }),
    {
      code: "KEY_REQUIRED",
      message:
        "The runner rejected the call with 401: Send the key. This command sends --api-key or PIPECAT_RUNNER_API_KEY.",
    },
  ],
  [
    callRejected({ status: 502, text: "<html>bad gateway" }),
    { code: "CALL_REJECTED", message: "The runner rejected the call with 502: <html>bad gateway" },
  ],
  [
    Object.assign(new Error("connect"), { code: "ECONNREFUSED" }),
    {
      code: "RUNNER_UNREACHABLE",
      message: expect.stringMatching(/^No runner answers at http:\/\/localhost:7860\/: ECONNREFUSED\. Start it with/),
    },
  ],
  [
    Object.assign(new Error("The operation was aborted"), { code: "ABORT_ERR" }),
    {
      code: "CALL_TIMED_OUT",
      message: "The runner did not answer the call within 15 s. Read the runner's log, and check --url.",
    },
  ],
])("a call that cannot be placed fails with the reason", async (error, failure) => {
  const result = await place(() => Promise.reject(error));
  expect([result.failure, result.end]).toEqual([failure, undefined]);
});

test("a runner that does not answer fails the call after 15 s, and a late answer is dropped", async () => {
  const late = Promise.withResolvers<Caller>();
  const { caller, state } = fakeCaller();
  const placing = place(() => late.promise);
  await vi.advanceTimersByTimeAsync(15_000);
  expect((await placing).failure).toMatchObject({ code: "CALL_TIMED_OUT" });
  late.resolve(caller);
  await vi.advanceTimersByTimeAsync(0);
  expect(state.dropped).toBe(1);
});

test("an abort ends the dialing at once, and a late answer is dropped", async () => {
  const late = Promise.withResolvers<Caller>();
  const { caller, state } = fakeCaller();
  const stop = new AbortController();
  const placing = place(() => late.promise, {}, stop.signal);
  await vi.advanceTimersByTimeAsync(100);
  stop.abort();
  expect((await placing).failure).toMatchObject({ code: "CALL_INTERRUPTED" });
  late.resolve(caller);
  await vi.advanceTimersByTimeAsync(0);
  expect(state.dropped).toBe(1);
});

test("the silence of the bot is heard as silence", async () => {
  const { caller, playout } = fakeCaller();
  const placing = place(async () => caller, { hangUpMs: 1_000 });
  for (const frame of cut(silence({ durationMs: 500 }))) playout.enqueue(frame);
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await placing).figures).toMatchObject({ firstAudioMs: undefined, heardMs: 0 });
});

test("what the caller has heard and read is not kept, so that a long call takes no more memory", async () => {
  const { caller, playout, messages, say } = fakeCaller();
  const placing = place(async () => caller, { hangUpMs: 60_000 });
  for (let minute = 0; minute < 10; minute++) {
    say(5_000);
    messages.push({ label: "rtvi-ai", type: "bot-output", data: { text: `Line ${minute}` } });
    await vi.advanceTimersByTimeAsync(5_200);
    expect([playout.played().length, messages.length]).toEqual([0, 0]);
  }
  await vi.advanceTimersByTimeAsync(10_000);
  const { figures, transcript } = await placing;
  expect(figures.heardMs).toBeCloseTo(50_000, 0);
  expect(transcript).toHaveLength(10);
});

test("a microphone is sent at the caller's rate until the caller hangs up", async () => {
  const { caller, sent } = fakeCaller();
  let record: ((samples: Int16Array) => void) | undefined;
  const live = {
    sampleRate: 48_000,
    listen(listener: (samples: Int16Array) => void) {
      record = listener;
      return () => {
        record = undefined;
      };
    },
  };
  const stop = new AbortController();
  const placing = place(async () => caller, { live }, stop.signal);
  await vi.advanceTimersByTimeAsync(70_000);
  record?.(tone(440, { durationMs: 500, sampleRate: 48_000 }).samples);
  await vi.advanceTimersByTimeAsync(1_000);
  const loud = sent.filter((peak) => peak > 1_000).length;
  expect(loud).toBeGreaterThanOrEqual(24);
  expect(loud).toBeLessThanOrEqual(26);
  stop.abort();
  await placing;
  expect(record).toBe(undefined);
});
