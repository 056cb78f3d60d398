import { expect, it } from "vitest";
import type { FunctionCallReportLevel } from "./reports.ts";
import { createRTVI, type RTVI, type RTVIOptions } from "./rtvi.ts";
import { createFakeTransport } from "./test/fake-transport.ts";

/** What a client receives of a function call at a level. */
async function reported(level: RTVIOptions["functionCallReportLevel"], name?: string): Promise<unknown[]> {
  const transport = createFakeTransport();
  const rtvi = createRTVI(transport, level === undefined ? {} : { functionCallReportLevel: level });
  transport.client("client-ready", { version: "2.1.0" });
  await report(rtvi, name);
  return transport.sent.slice(1).map(({ data }) => data);
}

async function report(rtvi: RTVI, name = "weather"): Promise<void> {
  await rtvi.llmFunctionCallStarted({ name });
  await rtvi.llmFunctionCallInProgress({ callId: "1", name, args: { city: "Oslo" } });
  await rtvi.llmFunctionCallStopped({ callId: "1", name, result: "rain" });
}

const name = { function_name: "weather" };
const stopped = { tool_call_id: "1", cancelled: false };
const atLevel: Readonly<Record<FunctionCallReportLevel, unknown[]>> = {
  disabled: [],
  none: [{}, { tool_call_id: "1" }, stopped],
  name: [name, { tool_call_id: "1", ...name }, { ...stopped, ...name }],
  arguments: [name, { tool_call_id: "1", ...name, arguments: { city: "Oslo" } }, { ...stopped, ...name }],
  full: [name, { tool_call_id: "1", ...name, arguments: { city: "Oslo" } }, { ...stopped, ...name, result: "rain" }],
};

it.each(Object.entries(atLevel))(
  "at level %s, a client receives the permitted parts of a function call",
  async (level, data) => {
    expect(await reported(level as FunctionCallReportLevel)).toEqual(data);
  },
);

it("without a level, a client receives what the bot passes", async () => {
  expect(await reported(undefined)).toEqual(atLevel.full);
});

it.each([
  ["its own level", { weather: "arguments", "*": "full" }, atLevel.arguments],
  ['the level of "*"', { other: "full", "*": "name" }, atLevel.name],
  ["the level none without any of these", { other: "full" }, atLevel.none],
] as const)("a function has %s", async (_, levels, data) => {
  expect(await reported(levels)).toEqual(data);
});

it("a function with the name of an object's property has no level of its own", async () => {
  expect(await reported({ "*": "disabled" }, "constructor")).toEqual([]);
});

it("callFunction sends name and arguments at every level, because the client runs the function", async () => {
  const transport = createFakeTransport();
  const rtvi = createRTVI(transport, { functionCallReportLevel: "disabled" });
  transport.client("client-ready", { version: "2.1.0" });
  void rtvi.callFunction("where", { precise: true }, { callId: "1" });
  expect(transport.sent.slice(1).map(({ data }) => data)).toEqual([
    { function_name: "where" },
    { tool_call_id: "1", function_name: "where", arguments: { precise: true } },
  ]);
  await transport.end();
});
