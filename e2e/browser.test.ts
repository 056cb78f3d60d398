import { expect, test } from "vitest";
import { findChromium } from "./browser.ts";

test("a browser that is missing is no reason to skip: how to get one is said", () => {
  const missing = { PIPECAT_CHROMIUM: "/nowhere/chromium" };
  expect(() => findChromium(missing)).toThrow(
    /names \/nowhere\/chromium, .*apt-get install chromium.*PIPECAT_CHROMIUM=/,
  );
});

test("the browser that is named is taken", () => {
  expect(findChromium({ PIPECAT_CHROMIUM: process.execPath })).toBe(process.execPath);
});
