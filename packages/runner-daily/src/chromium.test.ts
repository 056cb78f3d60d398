import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";

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

test("finds the smallest installed browser", () => {
  program("chromium");
  const shell = program("chromium-headless-shell");
  expect(findChromium(undefined, `/nowhere:${folder}`)).toBe(shell);
  rmSync(shell);
  mkdirSync(shell);
  expect(findChromium(undefined, folder)).toBe(join(folder, "chromium"));
});

test("uses only the configured browser, which must be a program", () => {
  const configured = program("mine");
  program("chromium");
  expect(findChromium(configured, folder)).toBe(configured);
  for (const wrong of [join(folder, "none"), folder, program("text", 0o644)]) {
    expect(() => findChromium(wrong, folder)).toThrow(
      expect.objectContaining({
        code: "DAILY_BROWSER_MISSING",
        message: expect.stringContaining(wrong),
        fix: expect.stringMatching(/apt install chromium.*PIPECAT_CHROMIUM/),
      }),
    );
  }
});
