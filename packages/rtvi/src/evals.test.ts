import { describe, expect, it } from "vitest";
import type { EvalContext } from "./client-events.ts";
import { createRTVI, type RTVI, type RTVIOptions } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

function readyBot(options: RTVIOptions): { readonly transport: FakeTransport; readonly rtvi: RTVI } {
  const transport = createFakeTransport();
  const rtvi = createRTVI(transport, options);
  transport.client("client-ready", { version: "2.2.0" });
  transport.sent.length = 0;
  return { transport, rtvi };
}

function ask(transport: FakeTransport, t: string, d: unknown): void {
  transport.client("client-message", { t, d }, "e1");
}

describe("with evals, the harness", () => {
  it("sets the bot's context, also before the bot listens; the latest counts", () => {
    const { transport, rtvi } = readyBot({ evals: true });
    const context = (content: string) => ({
      messages: [
        { role: "system", content },
        { role: "user", parts: [1] },
      ],
    });
    ask(transport, "eval-context", context("first"));
    ask(transport, "eval-context", context("second"));
    const contexts: EvalContext["messages"][] = [];
    rtvi.on("evalContext", ({ messages }) => contexts.push(messages));
    ask(transport, "eval-context", context("third"));
    expect(contexts).toEqual([context("second").messages, context("third").messages]);
    expect(transport.sent).toEqual([]);
  });

  it("raises the function-call report level, and asks for markers", () => {
    const { transport, rtvi } = readyBot({ evals: true, functionCallReportLevel: "none" });
    ask(transport, "eval-configure", { function_call_report_level: { "*": "full" }, vad_user_speaking: true });
    void rtvi.llmFunctionCallStopped({ callId: "1", name: "weather", result: "rain" });
    void rtvi.botLlmMarker({ marker: "✓", raw: "✓" });
    ask(transport, "eval-configure", { llm_markers: true });
    void rtvi.botLlmMarker({ marker: "✓", raw: "✓" });
    expect(transport.sent.map(({ type, data }) => [type, data])).toMatchObject([
      ["llm-function-call-stopped", { function_name: "weather", result: "rain" }],
      ["bot-llm-marker", { text: "✓" }],
    ]);
  });

  it.each([
    ["eval-configure", { function_call_report_level: { "*": "all" } }, "data.function_call_report_level"],
    ["eval-configure", { llm_markers: "yes" }, "data.llm_markers must be boolean"],
    ["eval-configure", "full", "data must be object"],
    ["eval-context", { messages: "none" }, "data.messages must be array"],
    ["eval-context", { messages: ["hi"] }, "data.messages.0 must be object"],
    ["eval-context", { messages: Array(1_001).fill({}) }, "data.messages must not have more than 1000 items"],
    ["eval-context", null, "data must have required properties messages"],
  ])("gets an error for %s with %o", (type, data, problem) => {
    const { transport, rtvi } = readyBot({ evals: true });
    rtvi.on("evalContext", () => expect.unreachable());
    ask(transport, type, data);
    expect(transport.sent).toMatchObject([{ type: "error-response", id: "e1" }]);
    expect(JSON.stringify(transport.sent)).toContain(problem);
  });
});

it("without evals, no client can raise the report level or replace the context", () => {
  const { transport, rtvi } = readyBot({ functionCallReportLevel: "none" });
  const types: string[] = [];
  rtvi.on("clientMessage", ({ type }) => types.push(type));
  rtvi.on("evalContext", () => expect.unreachable());
  ask(transport, "eval-context", { messages: [] });
  ask(transport, "eval-configure", { function_call_report_level: { "*": "full" }, llm_markers: true });
  transport.client("eval-configure", { llm_markers: true });
  transport.client("eval-context", { messages: [] });
  void rtvi.llmFunctionCallStopped({ callId: "1", name: "weather", result: "rain" });
  void rtvi.botLlmMarker({ marker: "✓", raw: "✓" });
  expect(types).toEqual(["eval-context", "eval-configure"]);
  expect(transport.sent.map(({ type, data }) => [type, data])).toEqual([
    ["error-response", { error: "Unsupported type eval-configure" }],
    ["error-response", { error: "Unsupported type eval-context" }],
    ["llm-function-call-stopped", { tool_call_id: "1", cancelled: false }],
  ]);
});
