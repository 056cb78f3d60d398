import { expect, test } from "vitest";
import { joinError } from "./join-error.ts";

test.each([
  ["DAILY_SDK_MISSING", { type: "sdk", message: "daily-js is 0.90.0" }, "0.92.2"],
  ["DAILY_BUNDLE_UNREACHABLE", { type: "connection-error", message: "Failed", on: "load" }, "https://mirror"],
  ["DAILY_JOIN_FAILED", { type: "connection-error", message: "no ICE", on: "rtc-connection" }, "no ICE"],
  ["DAILY_JOIN_REFUSED", { type: "exp-token", message: "expired" }, "exp-token: expired"],
  ["DAILY_JOIN_REFUSED", { type: "meeting-full", message: "full" }, "meeting-full"],
  ["DAILY_JOIN_FAILED", { message: "a plain text" }, "a plain text"],
])("%s for %j", (code, failure, said) => {
  const error = joinError(failure, "https://mirror");
  expect(error.code).toBe(code);
  expect(error.message).toContain(said);
  expect(error.fix).toBeTruthy();
});
