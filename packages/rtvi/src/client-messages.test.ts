import { beforeEach, describe, expect, it } from "vitest";
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
/** A tree of so many levels. */
const nested = (levels: number): object =>
  Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ ...root, children: [inner] }), root);
/** A node with so many children. */
const wide = (children: number): object => ({ ...root, children: Array.from({ length: children }, () => root) });
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

  it("without a listener are held in order; a message that is dropped is answered, and phone keys are not", () => {
    for (let n = 0; n < 60; n++) transport.emit("dtmf", "1");
    expect(transport.sent).toEqual([]);
    for (let n = 0; n < 45; n++) transport.client("dtmf", { buttons: ["2", "3"] }, `m${n}`);
    transport.emit("dtmf", "4");
    expect(collect("dtmf").join("")).toBe(`1111${"23".repeat(45)}4`);
    expect(transport.sent).toEqual([]);
  });

  it("without a listener are answered when 50 newer messages are held", () => {
    for (let n = 0; n < 52; n++) transport.client("dtmf", { buttons: ["2", "3"] }, `m${n}`);
    expect(transport.sent.map(({ type, id }) => `${type} ${id}`)).toEqual(["error-response m0", "error-response m1"]);
  });
});

describe("files", () => {
  const url = `pipecat:${"0".repeat(32)}`;
  const upload = { name: "a.pdf", format: "application/pdf", source: { type: "url", url } };
  const image = { format: "image/png", source: { type: "bytes", bytes: "AQID", width: 2, height: null } };
  const bytes = Uint8Array.of(1, 2, 3);
  const storage = {
    async load(wanted: string): Promise<Uint8Array> {
      if (wanted === url) return bytes;
      throw Object.assign(new Error("no such file"), { code: "FILE_UNKNOWN" });
    },
  };

  it("by URL, with all fields", () => {
    const files = collect("sendFile");
    const options = { run_immediately: false, audio_response: false, custom_options: { detail: "high" } };
    transport.client("send-file", { content: "Read it.", file: upload, options }, "f1");
    expect(files).toEqual([
      {
        id: "f1",
        content: "Read it.",
        ...upload,
        runImmediately: false,
        audioResponse: false,
        customOptions: { detail: "high" },
        error: expect.any(Function),
        load: expect.any(Function),
      },
    ]);
  });

  it.each([
    ["with a size", image.source, { width: 2, height: undefined }],
    ["as a data URL", { type: "bytes", bytes: "data:image/png;base64,AQID" }, {}],
    ["without a type", { bytes: "AQID" }, {}],
  ])("as bytes %s, which load() returns with or without storage", async (_, source, size) => {
    const files = collect("sendFile");
    transport.client("send-file", { content: "", file: { ...image, source } });
    expect(files).toMatchObject([
      { content: "", name: undefined, runImmediately: true, audioResponse: true, customOptions: undefined },
    ]);
    expect(files[0]?.source).toEqual({ type: "bytes", bytes, width: undefined, height: undefined, ...size });
    expect(await files[0]?.load(storage)).toEqual(bytes);
    expect(await files[0]?.load(undefined)).toEqual(bytes);
  });

  it("that are stored are loaded; for others the client gets an error, and the bot goes on", async () => {
    const files = collect("sendFile");
    for (const [id, each] of Object.entries({ f1: url, f2: "pipecat:other", f3: url }))
      transport.client("send-file", { content: "", file: { format: "x", source: { type: "url", url: each } } }, id);
    expect(await files[0]?.load(storage)).toBe(bytes);
    expect(await files[1]?.load(storage)).toBeUndefined();
    expect(await files[2]?.load(undefined)).toBeUndefined();
    expect(transport.sent.map(({ type, id, data }) => [type, id, data])).toEqual([
      ["error-response", "f2", { error: expect.stringMatching(/pipecat:other does not exist .* Upload it/) }],
      ["error-response", "f3", { error: expect.stringContaining("--uploads-folder") }],
    ]);
  });

  it("of a storage that fails are the bot's problem", async () => {
    const files = collect("sendFile");
    transport.client("send-file", { content: "", file: upload });
    const broken = { load: () => Promise.reject(new Error("disk failed")) };
    await expect(files[0]?.load(broken)).rejects.toThrow("disk failed");
    expect(transport.sent).toEqual([]);
  });

  it.each([
    [
      "larger than 1,000,000 characters",
      { ...image.source, bytes: "A".repeat(1_000_001) },
      "data.file.source.bytes must",
    ],
    ["that are not base64", { ...image.source, bytes: "AQ ID" }, "data.file.source.bytes must match pattern"],
    ["that are empty", { ...image.source, bytes: "" }, "data.file.source.bytes must"],
    ["of another type", { type: "ftp", url }, "data.file.source.type must"],
    ["without their bytes", { type: "bytes", url }, "data.file.source must have required properties bytes"],
    ["without anything", {}, "data.file.source must have required properties url"],
    ["with a URL of 9,000 characters", { url: "x".repeat(9_000) }, "data.file.source.url must"],
  ])("%s are answered with what to send", (_, source, problem) => {
    const files = collect("sendFile");
    transport.client("send-file", { content: "", file: { ...image, source } }, "bad");
    expect(files).toEqual([]);
    expect(transport.sent).toMatchObject([{ type: "error-response", id: "bad" }]);
    const error = JSON.stringify(transport.sent);
    expect(error).toContain(problem);
    expect(error).toContain("reply to an upload has");
    expect(error).toContain("1,000,000 characters of base64");
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

  it.each([
    ["levels", "data.tree must not have more than 50 levels", nested(51), nested(50)],
    ["nodes", "data.tree must not have more than 2000 nodes", wide(2_000), wide(1_999)],
    [
      "nodes in lists of children",
      "data.tree must not have more than 2000 nodes",
      { ...root, children: [wide(1_500), wide(1_500)] },
      root,
    ],
  ])("have a bound of %s", (_, problem, above, below) => {
    const seen = collect("uiSnapshot");
    transport.client("ui-snapshot", { tree: { root: above, captured_at: 1 } });
    expect(transport.sent.map(({ data }) => data)).toEqual([{ error: `Invalid message: ${problem}` }]);
    transport.client("ui-snapshot", { tree: { root: below, captured_at: 2 } });
    expect(seen).toMatchObject([{ tree: { captured_at: 2 } }]);
  });
});

describe("invalid data is answered with the field's name and emits no event", () => {
  it.each<[keyof RTVIEvents, string, unknown, string]>([
    ["dtmf", "dtmf", {}, "data must have required properties buttons"],
    ["dtmf", "dtmf", { buttons: [] }, "data.buttons must not have fewer than 1 items"],
    ["dtmf", "dtmf", { buttons: ["1", "A"] }, "data.buttons.1 must match pattern"],
    ["dtmf", "dtmf", { buttons: "12" }, "data.buttons must be array"],
    ["dtmf", "dtmf", { button: "12" }, "data.button must"],
    ["dtmf", "dtmf", { buttons: Array(51).fill("1") }, "data.buttons must not have more than 50 items"],
    ["clientMessage", "client-message", { t: "x".repeat(1_001) }, "data.t must not have more than 1000 characters"],
    ["sendText", "send-text", { content: "x".repeat(1_000_001) }, "data.content must not have more than 1000000"],
    [
      "sendFile",
      "send-file",
      { file: { format: "x", source: { url: "y" } } },
      "data must have required properties content",
    ],
    [
      "sendFile",
      "send-file",
      { content: "", file: { source: { url: "y" } } },
      "data.file must have required properties format",
    ],
    [
      "sendFile",
      "send-file",
      { content: "", file: { format: "x", source: { url: "y" } }, options: { custom_options: 7 } },
      "data.options",
    ],
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
    [
      "rawAudio",
      "raw-audio-batch",
      { ...audio, base64AudioBatch: Array(501).fill("AQA=") },
      "data.base64AudioBatch must not have more than 500 items",
    ],
  ])("%s: %s with %j", (event, type, data, problem) => {
    const events = collect(event);
    transport.client(type, data, "bad");
    expect(transport.sent).toMatchObject([{ type: "error-response", id: "bad" }]);
    expect(transport.sent[0]?.data).toEqual({ error: expect.stringContaining(`Invalid message: ${problem}`) });
    expect(events).toEqual([]);
    expect(transport.failures).toEqual([]);
  });
});

describe("a message without a listener", () => {
  it("is not validated before a listener is registered", () => {
    transport.client("ui-event", { payload: 1 }, "bad");
    transport.client("ui-event", { event: "opened" }, "good");
    expect(transport.sent).toEqual([]);
    expect(collect("uiEvent")).toMatchObject([{ id: "good" }]);
    expect(transport.sent).toMatchObject([{ type: "error-response", id: "bad" }]);
  });

  it("is held with others up to 2 MiB together, and dropped ones are answered", () => {
    for (let n = 0; n < 5; n++) transport.client("send-text", { content: "x".repeat(400_000) }, `m${n}`);
    expect(transport.sent.map(({ type, id }) => `${type} ${id}`)).toEqual(
      ["m0", "m1", "m2"].map((id) => `error-response ${id}`),
    );
    expect(collect("sendText").map(({ id }) => id)).toEqual(["m3", "m4"]);
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
