import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { FunctionCallResult } from "./client-events.ts";
import { handshakeOf } from "./handshake.ts";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

let transport: FakeTransport;
let rtvi: RTVI;

beforeEach(() => {
  vi.useFakeTimers();
  transport = createFakeTransport();
  rtvi = createRTVI(transport);
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const getReady = (): void => {
  transport.client("client-ready", { version: "2.1.0" });
  transport.sent.length = 0;
};
const answer = (callId: string, result: unknown): void =>
  transport.client("llm-function-call-result", { function_name: "f", tool_call_id: callId, arguments: {}, result });
const types = (): string[] => transport.sent.map(({ type }) => type.replace("llm-function-call-", ""));

describe("a function call", () => {
  beforeEach(getReady);

  it("notifies the client from start to end", async () => {
    const result = rtvi.callFunction("where", { precise: true }, { callId: "c1" });
    answer("c1", { city: "Oslo" });
    expect(await result).toEqual({ city: "Oslo" });
    const call = { tool_call_id: "c1", function_name: "where" };
    expect(transport.sent.map(({ type, data }) => [type, data])).toEqual([
      ["llm-function-call-started", { function_name: "where" }],
      ["llm-function-call-in-progress", { ...call, arguments: { precise: true } }],
      ["llm-function-call-stopped", { ...call, cancelled: false, result: { city: "Oslo" } }],
    ]);
  });

  it("has its own id and its own result", async () => {
    const results = [rtvi.callFunction("f"), rtvi.callFunction("f")];
    const ids = transport.sent.flatMap(({ data }) => (data as { tool_call_id?: string }).tool_call_id ?? []);
    answer(ids[1] as string, "second");
    answer(ids[0] as string, "first");
    expect(await Promise.all(results)).toEqual(["first", "second"]);
  });

  it("takes one result; a second one becomes an event", async () => {
    const late: FunctionCallResult[] = [];
    rtvi.on("llmFunctionCallResult", (result) => late.push(result));
    const result = rtvi.callFunction("f", {}, { callId: "c1" });
    answer("c1", "one");
    answer("c1", "two");
    expect(await result).toBe("one");
    expect(late).toMatchObject([{ callId: "c1", name: "f", result: "two" }]);
  });

  it("lets results of other calls be held up to 2 MiB together", () => {
    void rtvi.callFunction("f", {}, { callId: "c1" });
    for (let n = 0; n < 5; n++) answer(`other-${n}`, "x".repeat(400_000));
    const results: FunctionCallResult[] = [];
    rtvi.on("llmFunctionCallResult", (result) => results.push(result));
    expect(results.map(({ callId }) => callId)).toEqual(["other-3", "other-4"]);
    answer("c1", "");
  });

  it("times out after 10 s", async () => {
    const result = rtvi.callFunction("where");
    await vi.advanceTimersByTimeAsync(9_999);
    expect(types()).toEqual(["started", "in-progress"]);
    await vi.advanceTimersByTimeAsync(1);
    await expect(result).rejects.toMatchObject({
      code: "FUNCTION_CALL_TIMED_OUT",
      message: expect.stringContaining('"where" returned no result within 10000 ms'),
    });
    expect(transport.sent.at(-1)?.data).toMatchObject({ cancelled: true, function_name: "where" });
  });

  it("waits for `timeoutMs`", async () => {
    const short = rtvi.callFunction("f", {}, { timeoutMs: 5 });
    const long = rtvi.callFunction("f", {}, { timeoutMs: Number.POSITIVE_INFINITY, callId: "long" });
    await vi.advanceTimersByTimeAsync(5);
    await expect(short).rejects.toMatchObject({ code: "FUNCTION_CALL_TIMED_OUT" });
    await vi.advanceTimersByTimeAsync(2 ** 31);
    answer("long", "late");
    expect(await long).toBe("late");
  });

  it("is cancelled when its signal is aborted", async () => {
    const { signal, abort } = abortable();
    const result = rtvi.callFunction("f", {}, { signal });
    abort("barge-in");
    await expect(result).rejects.toMatchObject({ code: "FUNCTION_CALL_ABORTED", cause: "barge-in" });
    expect(types()).toEqual(["started", "in-progress", "stopped"]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("does not start if its signal is already aborted", async () => {
    const signal = AbortSignal.abort();
    await expect(rtvi.callFunction("f", {}, { signal })).rejects.toMatchObject({ code: "FUNCTION_CALL_ABORTED" });
    expect(transport.sent).toEqual([]);
  });

  it("rejects when the caller leaves, and removes all listeners", async () => {
    const { signal } = abortable();
    const results = [rtvi.callFunction("f", {}, { signal }), rtvi.callFunction("g", {}, { timeoutMs: 60_000 })];
    await transport.end();
    for (const result of results) await expect(result).rejects.toMatchObject({ code: "CALL_ENDED" });
    await expect(rtvi.callFunction("f")).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect(types()).toEqual(["started", "in-progress", "started", "in-progress"]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(handshakeOf(transport, {}).listeners.size).toBe(0);
    expect(transport.listening).toBe(0);
  });

  it("rejects at once with the transport's error", async () => {
    transport.refusal = Object.assign(new Error("64 KiB at most"), { code: "MESSAGE_TOO_LARGE" });
    await expect(rtvi.callFunction("f")).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  });

  it.each<[string, () => Promise<unknown>, new () => Error]>([
    ["invalid arguments", () => rtvi.callFunction("f", "x" as never), TypeError],
    ["an invalid timeout", () => rtvi.callFunction("f", {}, { timeoutMs: Number.NaN }), RangeError],
    ["a negative timeout", () => rtvi.callFunction("f", {}, { timeoutMs: -1 }), RangeError],
  ])("with %s rejects", async (_, call, error) => {
    await expect(call()).rejects.toBeInstanceOf(error);
  });

  it("with the id of a pending call rejects, and the pending call continues", async () => {
    const first = rtvi.callFunction("f", {}, { callId: "c1" });
    await expect(rtvi.callFunction("g", {}, { callId: "c1" })).rejects.toBeInstanceOf(TypeError);
    answer("c1", "done");
    expect(await first).toBe("done");
  });

  it("may fail without anyone awaiting it", async () => {
    void rtvi.callFunction("f"); // vitest fails on an unhandled rejection
    await vi.advanceTimersByTimeAsync(10_000);
    expect(types()).toEqual(["started", "in-progress", "stopped"]);
  });

  it("rejects with an error that the runner recognizes", async () => {
    const failure = rtvi.callFunction("f").catch((reason: unknown) => reason);
    await vi.advanceTimersByTimeAsync(10_000);
    const error = await failure;
    expect(error).toMatchObject({ status: 504, fix: expect.stringContaining("Register a handler") });
    expect((error as Record<symbol, unknown>)[Symbol.for("pipecat.runner-error")]).toBe(true);
  });

  function abortable(): { readonly signal: AbortSignal; abort(reason: unknown): void } {
    const controller = new AbortController();
    return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
  }
});

describe("a function call before the client is ready", () => {
  it("starts when the client is ready, after the earlier messages", async () => {
    void rtvi.sendServerMessage("first");
    const result = rtvi.callFunction("f", {}, { callId: "c1" });
    transport.client("client-ready", { version: "2.1.0" });
    expect(types()).toEqual(["bot-ready", "server-message", "started", "in-progress"]);
    transport.client("client-ready", { version: "2.1.0" });
    expect(types().slice(4)).toEqual(["bot-ready"]);
    answer("c1", "done");
    expect(await result).toBe("done");
  });

  it("is not sent to a client that becomes ready after the timeout", async () => {
    const result = rtvi.callFunction("f", {}, { timeoutMs: 100 });
    await vi.advanceTimersByTimeAsync(100);
    await expect(result).rejects.toMatchObject({
      code: "FUNCTION_CALL_TIMED_OUT",
      message: expect.stringContaining("no client became ready"),
    });
    transport.client("client-ready", { version: "2.1.0" });
    expect(types()).toEqual(["bot-ready"]);
  });
});
