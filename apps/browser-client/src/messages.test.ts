import { expect, test } from "vitest";
import { connectFailed, microphoneFailed, reported, startFailed } from "./messages.ts";

const url = "http://localhost:7860/start";

test("a refused start says what the runner said", () => {
  const notice = startFailed(url, new Error("1 caller is served, and no more fit. Raise --max-sessions."));
  expect(notice).toEqual({
    tone: "error",
    text: "The session could not be started: 1 caller is served, and no more fit. Raise --max-sessions. Press Connect to try again.",
  });
});

test.each(["Failed to fetch", "Load failed", "NetworkError when attempting to fetch resource."])(
  "a browser's %j means that the runner does not answer",
  (message) => {
    expect(startFailed(url, new TypeError(message)).text).toContain(
      "The runner at http://localhost:7860 does not answer",
    );
  },
);

test("an answer that is no JSON is told apart from one that is missing", () => {
  expect(startFailed(url, new SyntaxError("Unexpected token '<'")).text).toContain("POST /start was not the runner's");
  expect(startFailed(url, new Error("Timed out")).text).toContain("took too long to answer POST /start");
});

test("a WebSocket that is refused is not explained by the library's words", () => {
  const error = new Error("Failed to connect to websocket: WEBSOCKET_ERROR: WebSocket connection error (1006): ");
  expect(connectFailed(error).text).toContain("did not accept the WebSocket");
  expect(connectFailed(new Error("No speaker")).text).toContain("could not be made: No speaker. Press Connect");
});

test.each([
  [1000, "info", "The bot ended the call."],
  [1001, "info", "shutting down"],
  [1006, "error", "was lost"],
  [1011, "error", "The bot failed"],
  [4000, "error", "with code 4000"],
])("close code %i is told as %s: %s", (code, tone, text) => {
  const notice = reported(`websocket connection closed. Code: ${code}`);
  expect(notice.tone).toBe(tone);
  expect(notice.text).toContain(text);
});

test("what the bot reports is passed on", () => {
  expect(reported("The language model is down")).toEqual({
    tone: "error",
    text: "The bot reported: The language model is down.",
  });
});

test.each(["permissions", "not-found", "in-use", "constraints", "undefined-mediadevices", "unknown"] as const)(
  "without a microphone (%s) the call goes on, and the person is told",
  (type) => {
    expect(microphoneFailed(type, "it is gone").text).toMatch(/\. The bot cannot hear you; you can hear it and write/);
  },
);
