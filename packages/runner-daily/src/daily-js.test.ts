import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findSdk, joinError } from "./daily-js.ts";

test.each([
  ["DAILY_SDK_MISSING", { type: "sdk", message: "daily-js is 0.90.0" }, "0.92.2"],
  ["DAILY_BUNDLE_UNREACHABLE", { type: "connection-error", message: "Failed", on: "load" }, "https://mirror"],
  ["DAILY_JOIN_FAILED", { type: "connection-error", message: "no ICE", on: "rtc-connection" }, "no ICE"],
  ["DAILY_JOIN_REFUSED", { type: "exp-token", message: "expired" }, "exp-token: expired"],
  ["DAILY_JOIN_REFUSED", { type: "meeting-full", message: "full" }, "meeting-full"],
  ["DAILY_JOIN_FAILED", { message: "a string" }, "a string"],
])("%s for %j", (code, failure, text) => {
  const error = joinError(failure, "https://mirror");
  expect(error.code).toBe(code);
  expect(error.message).toContain(text);
  expect(error.fix).toBeTruthy();
});

test("findSdk returns the pinned version of daily-js, and rejects all others", () => {
  expect(findSdk()).toMatch(/daily-js.*dist\/daily\.js$/);
  const notInstalled = () => {
    throw new Error("Cannot find module");
  };
  expect(() => findSdk(notInstalled)).toThrow(
    expect.objectContaining({ code: "DAILY_SDK_MISSING", message: expect.stringContaining("is not installed") }),
  );
  const folder = mkdtempSync(join(tmpdir(), "pipecat-sdk-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const older = join(folder, "package.json");
  writeFileSync(older, '{"name": "@daily-co/daily-js", "version": "0.90.0"}');
  expect(() => findSdk(() => older)).toThrow(
    expect.objectContaining({ code: "DAILY_SDK_MISSING", message: expect.stringContaining("is version 0.90.0") }),
  );
});
