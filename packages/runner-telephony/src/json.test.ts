import { expect, test } from "vitest";
import { bytesIn, numberIn, objectIn, parseObject, present, textIn, textsIn } from "./json.ts";

test("parseObject returns JSON objects only", () => {
  expect(parseObject('{"a":1}')).toEqual({ a: 1 });
  for (const text of ["", "[]", "null", "7", '"text"', "{", "{'a':1}", "undefined"])
    expect(parseObject(text)).toBe(undefined);
});

test("textIn, numberIn and objectIn read fields of any type", () => {
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

test("bytesIn returns undefined for anything but base64", () => {
  expect(bytesIn({ payload: "AQI=" }, "payload")).toEqual(Buffer.from([1, 2]));
  expect(bytesIn({ payload: "AQI" }, "payload")).toEqual(Buffer.from([1, 2]));
  for (const payload of ["", "=", "====", "!!!!", "AQ*I", "AQI= AQI=", 7, null, {}, "A"]) {
    expect(bytesIn({ payload }, "payload"), String(payload)).toBe(undefined);
  }
});

test("textsIn returns the text fields of an object", () => {
  expect(textsIn({ custom: { a: "1", b: 2, c: null } }, "custom")).toEqual({ a: "1" });
  expect(textsIn({ custom: {} }, "custom")).toBe(undefined);
  expect(textsIn({ custom: "a=1" }, "custom")).toBe(undefined);
});

test("textsIn returns at most 64 fields, and none that are long", () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`p${n}`, "1"]));
  expect(Object.keys(textsIn({ custom: many }, "custom") ?? {})).toHaveLength(64);
  const long = { a: "x".repeat(4_096), b: "x".repeat(4_097), ["c".repeat(513)]: "1" };
  expect(Object.keys(textsIn({ custom: long }, "custom") ?? {})).toEqual(["a"]);
});

test("present removes undefined fields and keeps empty ones", () => {
  expect(Object.keys(present({ a: undefined, b: "", c: 0, d: null }))).toEqual(["b", "c", "d"]);
});
