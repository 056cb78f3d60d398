import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

let transport: FakeTransport;
let rtvi: RTVI;

beforeEach(() => {
  transport = createFakeTransport();
  rtvi = createRTVI(transport);
  transport.client("client-ready", { version: "2.1.0" });
  transport.sent.length = 0;
});

const moment = "2026-01-02T03:04:05.000Z";
const call = { callId: "c1", name: "where", args: { precise: true } };

/** clients.test.ts covers what client-js receives. These are the optional fields, and the messages client-js ignores. */
describe("each method sends its message", () => {
  it.each<[string, (to: RTVI) => unknown, unknown?]>([
    ["server-message", (to) => to.sendServerMessage("plain text"), "plain text"],
    ["server-message", (to) => to.sendServerMessage(null), null],
    ["error", (to) => to.error("no model"), { error: "no model", fatal: false }],
    ["error", (to) => to.error("no model", { fatal: true }), { error: "no model", fatal: true }],
    [
      "user-transcription",
      (to) => to.userTranscription({ text: "hel", final: false, userId: "ann", timestamp: moment }),
      { text: "hel", final: false, user_id: "ann", timestamp: moment },
    ],
    [
      "bot-output",
      (to) => to.botOutput("a list", { outputType: "code" }),
      { text: "a list", aggregated_by: "code", segment_id: 1, will_be_spoken: false },
    ],
    ["llm-function-call-started", (to) => to.llmFunctionCallStarted(), {}],
    ["llm-function-call-in-progress", (to) => to.llmFunctionCallInProgress({ callId: "c1" }), { tool_call_id: "c1" }],
    [
      "llm-function-call-in-progress",
      (to) => to.llmFunctionCallInProgress(call),
      { tool_call_id: "c1", function_name: "where", arguments: { precise: true } },
    ],
    [
      "llm-function-call-stopped",
      (to) => to.llmFunctionCallStopped({ callId: "c1", cancelled: true }),
      { tool_call_id: "c1", cancelled: true },
    ],
    [
      "ui-command",
      (to) => to.uiCommand("scroll_to", { ref: "e42", behavior: "smooth" }),
      { command: "scroll_to", payload: { ref: "e42", behavior: "smooth" } },
    ],
    ["ui-command", (to) => to.uiCommand("confetti", 3), { command: "confetti", payload: 3 }],
    ["vad-user-started-speaking", (to) => to.vadUserStartedSpeaking()],
    ["vad-user-stopped-speaking", (to) => to.vadUserStoppedSpeaking()],
    ["user-audio-level", (to) => to.userAudioLevel(0.5), { value: 0.5 }],
    ["bot-audio-level", (to) => to.botAudioLevel(0.25), { value: 0.25 }],
    ["system-log", (to) => to.systemLog("a line"), { text: "a line" }],
    [
      "bot-tts-audio",
      (to) => to.botTtsAudio({ samples: Int16Array.of(1, -2), sampleRate: 24_000, channels: 1 }),
      { audio: "AQD+/w==", sample_rate: 24_000, num_channels: 1 },
    ],
  ])("%s", async (type, send, ...data) => {
    await send(rtvi);
    expect(transport.sent).toEqual([{ label: "rtvi-ai", type, ...(data.length === 0 ? {} : { data: data[0] }) }]);
  });

  describe("with the current time", () => {
    beforeEach(() => void vi.useFakeTimers({ now: Date.parse(moment) }));
    afterEach(() => void vi.useRealTimers());

    it("if a transcription has no timestamp", async () => {
      await rtvi.userTranscription({ text: "hello", final: true });
      expect(transport.sent[0]?.data).toEqual({ text: "hello", final: true, user_id: "", timestamp: moment });
    });

    it("if a step of a job group has no time", async () => {
      await rtvi.uiJobGroup({ kind: "job_update", job_id: "j", worker_name: "w", data: 50 });
      const step = { kind: "job_update", job_id: "j", worker_name: "w", data: 50 };
      expect(transport.sent[0]?.data).toEqual({ ...step, at: Date.parse(moment) });
    });
  });
});

describe("invalid data is rejected with the field's name", () => {
  it.each<[string, (to: RTVI) => Promise<void>]>([
    ["data.text must be string", (to) => to.botLlmText(undefined as never)],
    ["data.ttfb.0.value must be number", (to) => to.metrics({ ttfb: [{ processor: "llm", value: "1" as never }] })],
    ["data.tool_call_id must be string", (to) => to.llmFunctionCallInProgress({} as never)],
    ["data.arguments must be object", (to) => to.llmFunctionCallInProgress({ callId: "c", args: "x" as never })],
    ["data.command must be string", (to) => (to.uiCommand as (command: unknown) => Promise<void>)(5)],
    ["data.kind must be", (to) => to.uiJobGroup({ kind: "group", job_id: "j" } as never)],
    ["data must have required properties origins", (to) => to.botLlmSearchResponse({} as never)],
    ["data.value must be number", (to) => to.userAudioLevel(Number.NaN)],
  ])("%s", async (problem, send) => {
    await expect(send(rtvi)).rejects.toThrow(problem);
    expect(transport.sent).toEqual([]);
  });
});

it("standard UI commands are typed; others accept any payload", () => {
  // @ts-expect-error a toast has a title
  void rtvi.uiCommand("toast", { text: "Saved" });
  // @ts-expect-error a view must be named
  void rtvi.uiCommand("navigate");
  void rtvi.uiCommand("click", { target_id: "buy" });
  void rtvi.uiCommand("confetti", { colors: 3 });
});
