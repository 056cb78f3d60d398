import { expect, test } from "vitest";
import { maxJsonDepth, maxJsonValues, parseJson } from "./json.ts";

test.each(["null", "7", '""', "[]", '{"a":[1,{"b":null}]}', String.raw`"\\\"[[,,"`, ' [ "a\\\\" , {} ] ', '"é👋"'])(
  "parses %s like JSON.parse",
  (text) => {
    expect(parseJson(text)).toEqual({ value: JSON.parse(text), fault: undefined });
  },
);

test.each(["", "{", "]", '"', '"\\', "[1,]", "undefined", "\u0000", '{"a":1}}'])("rejects %j", (text) => {
  expect(parseJson(text)).toEqual({ fault: "not JSON" });
});

test("rejects more levels than the limit, and accepts them in a string or one after another", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const most = nested(maxJsonDepth);
  expect(parseJson(most)).toHaveProperty("fault", undefined);
  expect(parseJson(nested(maxJsonDepth + 1))).toEqual({ fault: "JSON with more than 128 levels" });
  expect(parseJson(`{"a":`.repeat(500_000))).toEqual({ fault: "JSON with more than 128 levels" });
  expect(parseJson(`[${most.slice(1, -1)},${most.slice(1, -1)}]`)).toHaveProperty("fault", undefined);
  expect(parseJson(JSON.stringify(nested(10_000)))).toMatchObject({ value: nested(10_000) });
});

test("rejects more values than the limit, and accepts them in a string", () => {
  const list = (values: number) => `[${Array.from({ length: values - 1 }, () => 0).join()}]`;
  expect(parseJson(list(maxJsonValues))).toHaveProperty("fault", undefined);
  const fault = `JSON with more than ${maxJsonValues} values`;
  expect(parseJson(list(maxJsonValues + 2))).toEqual({ fault });
  expect(parseJson(`[${"[],".repeat(300_000)}[]]`)).toEqual({ fault });
  expect(parseJson(JSON.stringify(",".repeat(100_000)))).toMatchObject({ value: ",".repeat(100_000) });
});
