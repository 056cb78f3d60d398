import { expect, test } from "vitest";
import { leastProcessorMs } from "../../runner-core/src/test/processor-time.ts";
import { namesInHead, valuesOfBody, valuesOfQuery } from "./request-owner.ts";

test("names in a request's head are in path, query and bearer token; only two places are for a session's id", () => {
  const long = "x".repeat(300);
  const url = `/sessions/a%2Fb/%zz/${long}?session_id=c%20d&token=e&x=${long}#f`;
  const names = [...namesInHead({ url, headers: { authorization: "Bearer g.h" } })];
  expect(names.map(({ text }) => text)).toEqual(["sessions", "a/b", "%zz", "c d", "e", "g.h"]);
  expect(names.filter(({ isId }) => isId).map(({ text }) => text)).toEqual(["a/b", "c d"]);
  for (const other of ["//sessions/a", "/x/sessions/a", "/sessions", "*"]) {
    expect([...namesInHead({ url: other, headers: {} })].filter(({ isId }) => isId)).toEqual([]);
  }
  expect([...valuesOfQuery({ url })]).toEqual(["c d", "e"]);
});

test.each([
  [
    '{"a": {"pc_id": "one"}, "b": ["two\\/2", "say \\"three\\"", 4]}',
    "application/json",
    ["a", "pc_id", "one", "b", "two/2"],
  ],
  ["CallSid=CA1&From=%2B1555&x=a%20b", "application/x-www-form-urlencoded; charset=utf-8", ["CA1", "+1555", "a b"]],
  ['{"a":"one"}', "application/x-www-form-urlencoded", ["a", "one"]],
  ['{"a":"one', undefined, ["a", "one"]],
  ["", "application/json", []],
])("the values of the body %j are its texts", (body, type, values) => {
  expect([...valuesOfBody(Buffer.from(body), type)].slice(0, 5)).toEqual(values);
});

test("a body costs little per byte, whatever it contains", async () => {
  const bodies = ['"', '\\"', '"\\', '"a",', "a=b&", "%2"].map((piece) => piece.repeat((512 * 1024) / piece.length));
  for (const type of ["application/json", "application/x-www-form-urlencoded"]) {
    for (const body of bodies) {
      let count = 0;
      const ms = await leastProcessorMs(() => {
        count = [...valuesOfBody(Buffer.from(body), type)].length;
      });
      expect(ms, `ms of the processor for ${body.slice(0, 8)} as ${type}`).toBeLessThan(250);
      expect(count).toBeLessThan(200_000);
    }
  }
});
