import { beforeEach, describe, expect, it, vi } from "vitest";
import type { RTVIEvents } from "./client-events.ts";
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

function collect<E extends keyof RTVIEvents>(event: E): RTVIEvents[E][] {
  const values: RTVIEvents[E][] = [];
  rtvi.on(event, (value) => values.push(value));
  return values;
}

const result = { function_name: "f", tool_call_id: "c1", arguments: {}, result: "ok" };
const root = { ref: "e1", role: "generic" };
const audio = { base64Audio: "AQD+/w==", sampleRate: 16_000, numChannels: 1 };

describe("keys", () => {
  it.each([
    [{ buttons: ["1", "*", "#"] }, ["1", "*", "#"]],
    [{ button: "7" }, ["7"]],
  ])("%j become one event each", (data, keys) => {
    const pressed = collect("dtmf");
    transport.client("dtmf", data);
    expect(pressed).toEqual(keys);
    expect(transport.sent).toEqual([]);
  });

  it("from phones and clients reach RTVI; only phone keys reach the transport's listeners", () => {
    const pressed = collect("dtmf");
    const fromTransport: string[] = [];
    transport.emit("dtmf", "A");
    transport.on("dtmf", (key) => fromTransport.push(key));
    transport.client("dtmf", { buttons: ["1"] });
    transport.emit("dtmf", "2");
    expect(pressed).toEqual(["A", "1", "2"]);
    expect(fromTransport).toEqual(["A", "2"]);
  });

  it("without a listener are answered once per message; phone keys are not answered", () => {
    for (let n = 0; n < 60; n++) transport.emit("dtmf", "1");
    expect(transport.sent).toEqual([]);
    transport.client("dtmf", { buttons: Array.from({ length: 120 }, () => "2") }, "many");
    expect(transport.sent.map(({ type, id }) => `${type} ${id}`)).toEqual(["error-response many"]);
    expect(collect("dtmf")).toEqual(Array.from({ length: 50 }, () => "2"));
  });
});

describe("audio in messages", () => {
  const frame = (...samples: number[]) => ({ samples: Int16Array.from(samples), sampleRate: 16_000, channels: 1 });

  it.each([
    ["raw-audio", audio, [frame(1, -2)]],
    [
      "raw-audio-batch",
      { ...audio, base64Audio: undefined, base64AudioBatch: ["AQA=", "", "AgADAA=="] },
      [frame(1), frame(2, 3)],
    ],
    ["raw-audio", { ...audio, base64AudioBatch: ["AQA="] }, [frame(1)]],
    ["raw-audio-batch", { ...audio, base64AudioBatch: [] }, [frame(1, -2)]],
    ["raw-audio-batch", { sampleRate: 16_000, numChannels: 1 }, []],
    ["raw-audio", { ...audio, numChannels: 2 }, [{ ...frame(1, -2), channels: 2 }]],
  ])("%s with %j becomes frames", (type, data, frames) => {
    const received = collect("rawAudio");
    transport.client(type, data, "a1");
    expect(received).toMatchObject([{ id: "a1", frames }]);
    expect(transport.failures).toEqual([]);
  });
});

describe("snapshots", () => {
  it("include unknown fields", () => {
    const seen = collect("uiSnapshot");
    const tree = {
      root: {
        ...root,
        depth: 3,
        children: [{ ref: "e2", role: "textbox", name: "City", value: "Oslo", state: ["focused"] }],
      },
      captured_at: 1,
      selection: { ref: "e2", text: "Os", start_offset: 0, end_offset: 2 },
    };
    transport.client("ui-snapshot", { tree });
    expect(seen).toMatchObject([{ tree }]);
  });

  it("without a listener are replaced by the latest, without an answer", () => {
    for (let at = 1; at <= 60; at++) transport.client("ui-snapshot", { tree: { root, captured_at: at } });
    expect(transport.sent).toEqual([]);
    expect(collect("uiSnapshot")).toMatchObject([{ tree: { captured_at: 60 } }]);
  });

  it("may be deeper than the call stack", () => {
    const depth = 20_000;
    const level = '{"ref":"e","role":"list","children":[';
    const text = `${level.repeat(depth)}${JSON.stringify(root)}${"]}".repeat(depth)}`;
    const seen = vi.fn();
    rtvi.on("uiSnapshot", seen);
    transport.client("ui-snapshot", { tree: { root: JSON.parse(text), captured_at: 1 } });
    expect(seen).toHaveBeenCalledOnce();
    expect(transport.failures).toEqual([]);
  });
});

describe("invalid data is answered with the field's name and emits no event", () => {
  it.each<[keyof RTVIEvents, string, unknown, string]>([
    ["dtmf", "dtmf", {}, "data must have required properties buttons"],
    ["dtmf", "dtmf", { buttons: [] }, "data.buttons must not have fewer than 1 items"],
    ["dtmf", "dtmf", { buttons: ["1", "A"] }, "data.buttons.1 must match pattern"],
    ["dtmf", "dtmf", { buttons: "12" }, "data.buttons must be array"],
    ["dtmf", "dtmf", { button: "12" }, "data.button must match pattern"],
    [
      "llmFunctionCallResult",
      "llm-function-call-result",
      { ...result, tool_call_id: 1 },
      "data.tool_call_id must be string",
    ],
    [
      "llmFunctionCallResult",
      "llm-function-call-result",
      { ...result, arguments: [] },
      "data.arguments must be object",
    ],
    ["llmFunctionCallResult", "llm-function-call-result", { ...result, result: [1] }, "data.result must be"],
    [
      "llmFunctionCallResult",
      "llm-function-call-result",
      { function_name: "f", tool_call_id: "c1", arguments: {} },
      "data must have required properties result",
    ],
    ["uiEvent", "ui-event", { payload: 1 }, "data must have required properties event"],
    ["uiCancelJobGroup", "ui-cancel-job-group", { job_id: 3 }, "data.job_id must be string"],
    ["uiSnapshot", "ui-snapshot", {}, "data must have required properties tree"],
    ["uiSnapshot", "ui-snapshot", { tree: { root } }, "data.tree must have required properties captured_at"],
    [
      "uiSnapshot",
      "ui-snapshot",
      { tree: { root: {}, captured_at: 1 } },
      "data.tree.root must have required properties ref, role",
    ],
    [
      "uiSnapshot",
      "ui-snapshot",
      { tree: { root: { ...root, children: [root, { ...root, name: 5 }] }, captured_at: 1 } },
      "data.tree.root.children.1.name must be",
    ],
    ["rawAudio", "raw-audio", { ...audio, base64Audio: "not base64!" }, "data.base64Audio must match pattern"],
    ["rawAudio", "raw-audio", { ...audio, base64Audio: "AQDA" }, "data must hold whole samples of 2 bytes"],
    [
      "rawAudio",
      "raw-audio",
      { ...audio, base64Audio: "AQA=", numChannels: 2 },
      "data must hold whole samples of 4 bytes",
    ],
    ["rawAudio", "raw-audio", { ...audio, sampleRate: 0 }, "data.sampleRate must be >= 1000"],
    ["rawAudio", "raw-audio", { base64Audio: "AQA=" }, "data must have required properties sampleRate, numChannels"],
    ["rawAudio", "raw-audio-batch", { ...audio, base64AudioBatch: [7] }, "data.base64AudioBatch.0 must be string"],
  ])("%s: %s with %j", (event, type, data, problem) => {
    const events = collect(event);
    transport.client(type, data, "bad");
    expect(transport.sent).toMatchObject([{ type: "error-response", id: "bad" }]);
    expect(transport.sent[0]?.data).toEqual({ error: expect.stringContaining(`Invalid message: ${problem}`) });
    expect(events).toEqual([]);
    expect(transport.failures).toEqual([]);
  });
});

it("the bot can reject each message", () => {
  rtvi.on("uiEvent", (event) => void event.error("no such thing"));
  rtvi.on("uiCancelJobGroup", (request) => void request.error("already finished"));
  rtvi.on("rawAudio", (audio) => void audio.error("too late"));
  transport.client("ui-event", { event: "opened" }, "m1");
  transport.client("ui-cancel-job-group", { job_id: "j", reason: null }, "m2");
  transport.client("raw-audio", audio, "m3");
  expect(transport.sent.map(({ id, data }) => [id, data])).toEqual([
    ["m1", { error: "no such thing" }],
    ["m2", { error: "already finished" }],
    ["m3", { error: "too late" }],
  ]);
});
