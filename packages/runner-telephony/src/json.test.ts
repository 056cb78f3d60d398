import { expect, test } from "vitest";
import { bytesIn, numberIn, objectIn, parseObject, present, textIn, textsIn } from "./json.ts";

test("parseObject takes JSON objects and nothing else", () => {
  expect(parseObject('{"a":1}')).toEqual({ a: 1 });
  for (const text of ["", "[]", "null", "7", '"text"', "{", "{'a':1}", "undefined"])
    expect(parseObject(text)).toBe(undefined);
});

test("fields are read whatever they are", () => {
  const odd = {
    number: 7,
    text: "8",
    empty: "",
    long: "x".repeat(513),
    list: [1],
    none: null,
    yes: true,
    infinite: "1e999",
  };
  expect(Object.keys(odd).map((key) => textIn(odd, key))).toEqual([
    "7",
    "8",
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    "1e999",
  ]);
  expect(Object.keys(odd).map((key) => numberIn(odd, key))).toEqual([
    7,
    8,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(objectIn(odd, "list")).toEqual({});
  expect(objectIn(odd, "missing")).toEqual({});
  expect(objectIn({ part: { a: 1 } }, "part")).toEqual({ a: 1 });
});

test("bytes are base64 or nothing", () => {
  expect(bytesIn({ payload: "AQI=" }, "payload")).toEqual(Buffer.from([1, 2]));
  expect(bytesIn({ payload: "AQI" }, "payload")).toEqual(Buffer.from([1, 2]));
  for (const payload of ["", "=", "====", "!!!!", "AQ*I", "AQI= AQI=", 7, null, {}, "A"]) {
    expect(bytesIn({ payload }, "payload"), String(payload)).toBe(undefined);
  }
});

test("texts are what of an object is text", () => {
  expect(textsIn({ custom: { a: "1", b: 2, c: null } }, "custom")).toEqual({ a: "1" });
  expect(textsIn({ custom: {} }, "custom")).toBe(undefined);
  expect(textsIn({ custom: "a=1" }, "custom")).toBe(undefined);
});

test("present leaves out what is undefined and keeps what is empty", () => {
  expect(Object.keys(present({ a: undefined, b: "", c: 0, d: null }))).toEqual(["b", "c", "d"]);
});
