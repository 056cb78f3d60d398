import { expect, test } from "vitest";
import { joinError } from "./join-error.ts";

/** Texts of `@livekit/rtc-node` 1.1. */
test.each([
  [
    "engine: signal failure: client error: 401 Unauthorized - invalid token: eyJhbGciOi.eyJ2.c2ln",
    "LIVEKIT_REFUSED",
    "401",
  ],
  ["engine: signal failure: client error: 401 Unauthorized - invalid API key: devkeyx", "LIVEKIT_REFUSED", "401"],
  [
    "engine: signal failure: transport connection error: IO error: Connection refused (os error 111)",
    "LIVEKIT_UNREACHABLE",
    "Connection refused (os error 111)",
  ],
  ["engine: signal failure: handshake error: 500 Internal Server Error", "LIVEKIT_JOIN_FAILED", "status 500"],
  [
    "engine: signal failure: client error: 404 Not Found - requested room does not exist",
    "LIVEKIT_JOIN_FAILED",
    "status 404",
  ],
  ["wait_pc_connection timed out", "LIVEKIT_JOIN_FAILED", "cannot be joined"],
])("%s", (text, code, expected) => {
  const { code: actual, message } = joinError(new Error(text));
  expect([actual, message]).toEqual([code, expect.stringContaining(expected)]);
  expect(message).not.toMatch(/eyJ|devkeyx/);
});
