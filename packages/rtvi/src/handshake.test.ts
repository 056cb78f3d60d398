import { describe, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { answerHandshake } from "./handshake.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

function greeted(options?: Parameters<typeof answerHandshake>[1]): FakeTransport {
  const transport = createFakeTransport();
  answerHandshake(transport, options);
  return transport;
}

describe("client-ready", () => {
  it("is answered with bot-ready of the same id, this protocol's version and who the bot is", () => {
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
    ["2.9.17", "2.1.0"],
    ["1.0.0", "1.0.0"],
    ["1.4.0", "1.4.0"],
  ])("of a client of %s is answered with version %s and no objection", (version, answer) => {
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
    ["a later major", { version: "3.0.0" }, "RTVI version 3.0.0 is not compatible with server protocol 2.1.0."],
    ["an earlier major", { version: "0.3.0" }, "RTVI version 0.3.0 is not compatible with server protocol 2.1.0."],
    ["a major that starts like ours", { version: "20.0.0" }, "RTVI version 20.0.0 is not compatible"],
  ])("with %s is objected to, and answered all the same", (_, data, objection) => {
    const warnings: string[] = [];
    const transport = greeted({ logger: { warn: (line) => warnings.push(line) } });
    transport.client("client-ready", data, "id");
    const [first, second, ...rest] = transport.sent;
    expect(first).toMatchObject({
      type: "error-response",
      id: "id",
      data: { error: expect.stringContaining(objection) },
    });
    expect(first?.data).toMatchObject({ error: expect.stringMatching(/ Compatibility issues may occur\.$/) });
    expect(second).toMatchObject({ type: "bot-ready", id: "id", data: { version: "2.1.0" } });
    expect(rest).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  it("quotes a monstrous version briefly, without its line breaks", () => {
    const warnings: string[] = [];
    const transport = greeted({ logger: { warn: (line) => warnings.push(line) } });
    transport.client("client-ready", { version: `9\n${"9".repeat(10_000)}` });
    expect(JSON.stringify(transport.sent[0]).length).toBeLessThan(300);
    expect(warnings[0]).not.toContain("\n");
  });

  it("of a client that repeats itself, or does not read the answers, does not fill the log", async () => {
    const warnings: string[] = [];
    const transport = greeted({ logger: { warn: (line) => warnings.push(line) } });
    transport.refusal = new Error("not read");
    for (let count = 0; count < 100; count++) transport.client("client-ready", { version: "3.0.0" });
    await transport.end();
    expect(warnings).toEqual([
      expect.stringContaining("3.0.0"),
      "An RTVI answer could not be sent, which is logged once: Error: not read",
    ]);
  });

  it("is answered each time it comes", () => {
    const transport = greeted();
    transport.client("client-ready", { version: "2.1.0" }, "one");
    transport.client("client-ready", { version: "1.2.0" }, "two");
    expect(transport.sent.map(({ id, data }) => [id, (data as { version: string }).version])).toEqual([
      ["one", "2.1.0"],
      ["two", "1.2.0"],
    ]);
  });

  it("that came before anybody listened is answered, and left for the bot to see", () => {
    const transport = createFakeTransport();
    transport.client("client-ready", { version: "2.1.0" }, "early");
    answerHandshake(transport);
    expect(transport.sent.map(({ id }) => id)).toEqual(["early"]);
    const seen: unknown[] = [];
    transport.on("appMessage", (message) => seen.push(message));
    expect(seen).toHaveLength(1);
  });

  it("is answered once, however many layers answer the handshake", () => {
    const transport = greeted();
    answerHandshake(transport);
    transport.client("client-ready", { version: "2.1.0" });
    expect(transport.sent).toHaveLength(1);
  });

  it("may introduce the bot as its host likes", () => {
    const transport = greeted({ about: { library: "my-bot" } });
    transport.client("client-ready", { version: "2.1.0" });
    expect(transport.sent[0]?.data).toMatchObject({ about: { library: "my-bot" } });
  });
});

describe("other messages", () => {
  it.each([
    ["without type", { label: "rtvi-ai", id: "1" }, "type"],
    ["with a type that is no string", { label: "rtvi-ai", type: 7, id: "1" }, "message.type must be string"],
    ["without id", { label: "rtvi-ai", type: "client-ready" }, "id"],
    ["with an id that is no string", { label: "rtvi-ai", type: "client-ready", id: 1 }, "message.id must be string"],
    ["with text for data", { label: "rtvi-ai", type: "client-ready", id: "1", data: "x" }, "message.data"],
    ["with a list for data", { label: "rtvi-ai", type: "client-ready", id: "1", data: [] }, "message.data"],
  ])("of RTVI %s are answered with an error that is not fatal and names the field", (_, message, field) => {
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
  ])("that are %s are nobody's business here", (_, message) => {
    const transport = greeted();
    transport.emit("appMessage", message);
    expect(transport.sent).toEqual([]);
    expect(transport.failures).toEqual([]);
  });

  it("of RTVI are left to the bot, which may answer them by itself", () => {
    const transport = greeted();
    transport.client("client-message", { t: "ping" });
    transport.client("no-such-type");
    transport.client("disconnect-bot", {});
    expect(transport.sent).toEqual([]);
    expect(transport.closeCalls).toBe(0);
  });
});

it("keeps no listener after the call", async () => {
  const transport = greeted();
  expect(transport.listening).toBe(1);
  await transport.end();
  expect(transport.listening).toBe(0);
});

it("survives a transport that refuses to send, and says so", async () => {
  const warnings: string[] = [];
  const transport = greeted({ logger: { warn: (line) => warnings.push(line) } });
  transport.refusal = new Error("too large");
  transport.client("client-ready", { version: "2.1.0" });
  await Promise.resolve();
  await Promise.resolve();
  expect(warnings).toEqual([expect.stringContaining("too large")]);
});
