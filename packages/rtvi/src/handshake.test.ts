import { describe, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { answerHandshake, handledMessages, sendFatalError } from "./handshake.ts";
import { createRTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

function greeted(options?: Parameters<typeof answerHandshake>[1]): FakeTransport {
  const transport = createFakeTransport();
  answerHandshake(transport, options);
  return transport;
}

function greetedWithLog(): { readonly transport: FakeTransport; readonly warnings: Record<string, unknown>[] } {
  const warnings: Record<string, unknown>[] = [];
  const transport = greeted({ logger: { warn: (fields, message) => warnings.push({ ...fields, message }) } });
  return { transport, warnings };
}

describe("client-ready", () => {
  it("is answered with bot-ready: the same id, the protocol version and `about`", () => {
    const transport = greeted();
    transport.client(
      "client-ready",
      { version: "2.1.0", about: { library: "@pipecat-ai/client-js", platform_details: {} } },
      "a1b2c3d4",
    );
    expect(transport.sent).toEqual([
      {
        label: "rtvi-ai",
        type: "bot-ready",
        id: "a1b2c3d4",
        data: { version: "2.1.0", about: { library: "pipecat-runner", library_version: manifest.version } },
      },
    ]);
  });

  it.each([
    ["2.0.0", "2.1.0"],
    ["2.1.99", "2.1.0"],
    ["2.2.0", "2.2.0"],
    ["2.9.17", "2.2.0"],
    ["1.0.0", "1.0.0"],
    ["1.4.0", "1.4.0"],
  ])("with version %s is answered with version %s and no warning", (version, answer) => {
    const transport = greeted();
    transport.client("client-ready", { version });
    expect(transport.sent.map(({ type }) => type)).toEqual(["bot-ready"]);
    expect(transport.sent[0]?.data).toMatchObject({ version: answer });
  });

  it.each([
    ["no data", undefined, "Client version unknown."],
    ["null for data", null, "Client version unknown."],
    ["no version", { about: { library: "x" } }, "Client version unknown."],
    ["a number for version", { version: 2 }, "Client version unknown."],
    ["a version of two parts", { version: "2.1" }, "Invalid client version format (2.1)."],
    ["a version of words", { version: "two.one.zero" }, "Invalid client version format (two.one.zero)."],
    [
      "a later major",
      { version: "3.0.0" },
      "RTVI version 3.0.0 is not compatible with server protocol 2.2.0.",
      "2.2.0",
    ],
    ["an earlier major", { version: "0.3.0" }, "RTVI version 0.3.0 is not compatible with server protocol 2.2.0."],
    ["a major that starts like ours", { version: "20.0.0" }, "RTVI version 20.0.0 is not compatible", "2.2.0"],
  ])("with %s gets a warning, and is answered anyway", (_, data, warning, version = "2.1.0") => {
    const { transport, warnings } = greetedWithLog();
    transport.client("client-ready", data, "id");
    const [first, second, ...rest] = transport.sent;
    expect(first).toMatchObject({
      type: "error-response",
      id: "id",
      data: { error: expect.stringContaining(warning) },
    });
    expect(first?.data).toMatchObject({ error: expect.stringMatching(/ Compatibility issues may occur\.$/) });
    expect(second).toMatchObject({ type: "bot-ready", id: "id", data: { version } });
    expect(rest).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  describe("from a client of protocol 2.2 is answered with capabilities:", () => {
    const capabilities = (transport: FakeTransport, version = "2.2.0") => {
      transport.client("client-ready", { version });
      return (transport.sent.at(-1)?.data as { capabilities?: unknown } | undefined)?.capabilities;
    };

    it.each([
      ["audio only", { audioIn: true, audioOut: true, videoIn: false, screenIn: false, videoOut: false }],
      ["camera in, no audio out", { audioIn: true, audioOut: false, videoIn: true, screenIn: false, videoOut: false }],
    ])("%s, as the transport says", (_, carried) => {
      const { audioIn, audioOut, videoIn, screenIn, videoOut } = carried;
      const transport = Object.assign(greeted(), { capabilities: carried });
      expect(capabilities(transport)).toEqual({
        audio_in: audioIn,
        audio_out: audioOut,
        video_in: videoIn,
        screen_in: screenIn,
        video_out: videoOut,
      });
    });

    it("nothing that the transport does not say", () => {
      expect(capabilities(greeted())).toEqual({});
    });

    it("metrics, if the bot says that it reports them", () => {
      for (const metrics of [true, false]) {
        const transport = greeted();
        createRTVI(transport, { metrics });
        expect(capabilities(transport)).toEqual({ metrics });
      }
    });

    it("metrics, once the bot has reported them", () => {
      const transport = greeted();
      const rtvi = createRTVI(transport);
      expect(capabilities(transport)).toEqual({});
      void rtvi.metrics({ ttfb: [{ processor: "llm", value: 0.2 }] });
      expect(capabilities(transport)).toEqual({ metrics: true });
    });

    it.each(["1.0.0", "2.0.0", "2.1.0"])("but not from a client of version %s", (version) => {
      const transport = Object.assign(greeted(), { capabilities: { audioIn: true } });
      createRTVI(transport, { metrics: true });
      expect(capabilities(transport, version)).toBeUndefined();
    });
  });

  it("does not repeat a version, an id or a type of more than 1,000 characters", () => {
    const long = "1".repeat(1_001);
    const transport = greeted();
    transport.client("client-ready", { version: `1.0.${long}` }, "r1");
    transport.client("client-ready", {}, long);
    transport.client(long, {}, "r2");
    expect(transport.sent.map(({ type }) => type)).toEqual(["error-response", "bot-ready", "error", "error"]);
    expect(JSON.stringify(transport.sent)).not.toContain(long);
  });

  it("shortens a long version and removes its line breaks", () => {
    const { transport, warnings } = greetedWithLog();
    transport.client("client-ready", { version: `9\n${"9".repeat(10_000)}` });
    expect(JSON.stringify(transport.sent[0]).length).toBeLessThan(300);
    expect(warnings[0]?.warning).not.toContain("\n");
  });

  it("logs each warning once, even if the client repeats it or reads no answers", async () => {
    const { transport, warnings } = greetedWithLog();
    const err = new Error("not read");
    transport.refusal = err;
    for (let count = 0; count < 100; count++) transport.client("client-ready", { version: "3.0.0" });
    await transport.end();
    expect(warnings).toEqual([
      { warning: expect.stringContaining("3.0.0"), message: "rtvi client version not supported" },
      { err, message: "rtvi answer not sent; later failures are not logged" },
    ]);
  });

  it("is answered every time", () => {
    const transport = greeted();
    transport.client("client-ready", { version: "2.1.0" }, "one");
    transport.client("client-ready", { version: "1.2.0" }, "two");
    expect(transport.sent.map(({ id, data }) => [id, (data as { version: string }).version])).toEqual([
      ["one", "2.1.0"],
      ["two", "1.2.0"],
    ]);
  });

  it("is answered if it came before any listener, and still reaches the bot", () => {
    const transport = createFakeTransport();
    transport.client("client-ready", { version: "2.1.0" }, "early");
    answerHandshake(transport);
    expect(transport.sent.map(({ id }) => id)).toEqual(["early"]);
    const seen: unknown[] = [];
    transport.on("appMessage", (message) => seen.push(message));
    expect(seen).toHaveLength(1);
  });

  it("is answered once if several layers call answerHandshake", () => {
    const transport = greeted();
    answerHandshake(transport);
    transport.client("client-ready", { version: "2.1.0" });
    expect(transport.sent).toHaveLength(1);
  });

  it("is answered with what the bot adds to `about` before the client is ready", () => {
    const transport = greeted();
    createRTVI(transport, { about: { name: "Front desk" } });
    createRTVI(transport);
    transport.client("client-ready", { version: "2.1.0" });
    expect(transport.sent[0]?.data).toMatchObject({ about: { library: "pipecat-runner", name: "Front desk" } });
  });

  it("is answered with the `about` of the host", () => {
    const transport = greeted({ about: { library: "my-bot" } });
    transport.client("client-ready", { version: "2.1.0" });
    expect(transport.sent[0]?.data).toMatchObject({ about: { library: "my-bot" } });
  });
});

it("handledMessages lists the types that the bot has listeners for", () => {
  const transport = greeted();
  expect(handledMessages(transport)).toEqual([]);
  const rtvi = createRTVI(transport);
  expect(handledMessages(transport)).toEqual([]);
  rtvi.on("clientMessage", () => undefined);
  const remove = rtvi.on("sendText", () => undefined);
  expect(handledMessages(transport)).toEqual(expect.arrayContaining(["client-message", "send-text"]));
  remove();
  expect(handledMessages(transport)).toEqual(["client-message"]);
});

describe("other messages", () => {
  it.each([
    ["without type", { label: "rtvi-ai", id: "1" }, "type"],
    ["with a type that is not a string", { label: "rtvi-ai", type: 7, id: "1" }, "message.type must be string"],
    ["without id", { label: "rtvi-ai", type: "client-ready" }, "id"],
    ["with an id that is not a string", { label: "rtvi-ai", type: "client-ready", id: 1 }, "message.id must be string"],
    ["with text for data", { label: "rtvi-ai", type: "client-ready", id: "1", data: "x" }, "message.data"],
    ["with a list for data", { label: "rtvi-ai", type: "client-ready", id: "1", data: [] }, "message.data"],
  ])("%s are answered with a non-fatal error that names the field", (_, message, field) => {
    const transport = greeted();
    transport.emit("appMessage", message);
    expect(transport.sent).toEqual([
      { label: "rtvi-ai", type: "error", data: { error: expect.stringContaining(field), fatal: false } },
    ]);
    expect(JSON.stringify(transport.sent)).toContain("Invalid RTVI transport message: ");
  });

  it.each([
    ["text", "client-ready"],
    ["nothing", undefined],
    ["null", null],
    ["a list", [{ label: "rtvi-ai" }]],
    ["a number", 5],
    ["the application's own", { type: "interrupt" }],
    ["of another label", { label: "rtvi", type: "client-ready", id: "1" }],
  ])("that are %s are ignored", (_, message) => {
    const transport = greeted();
    transport.emit("appMessage", message);
    expect(transport.sent).toEqual([]);
    expect(transport.failures).toEqual([]);
  });

  it("of RTVI are left to the bot", () => {
    const transport = greeted();
    transport.client("client-message", { t: "ping" });
    transport.client("no-such-type");
    transport.client("disconnect-bot", {});
    expect(transport.sent).toEqual([]);
    expect(transport.closeCalls).toBe(0);
  });
});

it("removes its listener after the call", async () => {
  const transport = greeted();
  expect(transport.listening).toBe(1);
  await transport.end();
  expect(transport.listening).toBe(0);
});

it("logs when the transport fails to send", async () => {
  const { transport, warnings } = greetedWithLog();
  const err = new Error("too large");
  transport.refusal = err;
  transport.client("client-ready", { version: "2.1.0" });
  await Promise.resolve();
  await Promise.resolve();
  expect(warnings).toMatchObject([{ err }]);
});

describe("a fatal error", () => {
  it("is sent once the client is ready", async () => {
    const transport = greeted();
    const sent = sendFatalError(transport, "no microphone");
    await Promise.resolve();
    expect(transport.sent).toEqual([]);
    transport.client("client-ready", { version: "2.1.0" });
    await sent;
    const data = { error: "no microphone", fatal: true };
    expect(transport.sent.map(({ type }) => type)).toEqual(["bot-ready", "error"]);
    expect(transport.sent[1]).toEqual({ label: "rtvi-ai", type: "error", data });
    await sendFatalError(transport, "again");
    expect(transport.sent[2]).toMatchObject({ data: { error: "again" } });
  });

  it("is given up when the call ends first", async () => {
    const transport = greeted();
    const sent = sendFatalError(transport, "no microphone");
    await transport.end();
    await sent;
  });
});
