import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findSdk } from "./daily-sdk.ts";
import { findChromium } from "./find-chromium.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pipecat-programs-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, mode = 0o755): string {
  const file = join(folder, name);
  writeFileSync(file, "");
  chmodSync(file, mode);
  return file;
}

test("the smallest browser on the path is found, and only what can be run", () => {
  program("chromium");
  const shell = program("chromium-headless-shell");
  expect(findChromium(undefined, `/nowhere:${folder}`)).toBe(shell);
  rmSync(shell);
  expect(findChromium(undefined, folder)).toBe(join(folder, "chromium"));
});

test("the browser that is told is the only one, and missing where it is no program", () => {
  const told = program("mine");
  program("chromium");
  expect(findChromium(told, folder)).toBe(told);
  for (const wrong of [join(folder, "none"), program("text", 0o644)]) {
    expect(() => findChromium(wrong, folder)).toThrow(
      expect.objectContaining({
        code: "DAILY_BROWSER_MISSING",
        message: expect.stringContaining(wrong),
        fix: expect.stringMatching(/apt install chromium.*PIPECAT_CHROMIUM/),
      }),
    );
  }
});

test("daily-js is found in the version that is pinned, and missing in any other", () => {
  expect(findSdk()).toMatch(/daily-js.*dist\/daily\.js$/);
  const absent = () => {
    throw new Error("Cannot find module");
  };
  expect(() => findSdk(absent)).toThrow(
    expect.objectContaining({ code: "DAILY_SDK_MISSING", message: expect.stringContaining("is not installed") }),
  );
  const older = join(folder, "package.json");
  writeFileSync(older, '{"name": "@daily-co/daily-js", "version": "0.90.0"}');
  expect(() => findSdk(() => older)).toThrow(
    expect.objectContaining({ code: "DAILY_SDK_MISSING", message: expect.stringContaining("of version 0.90.0") }),
  );
});
