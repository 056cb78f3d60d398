import { expect, test } from "vitest";
import { connectFailed, microphoneFailed, reported, startFailed } from "./notices.ts";

const url = "http://localhost:7860/start";

test("a rejected start shows the runner's reason", () => {
  const notice = startFailed(url, new Error("The runner is at capacity: 1 session. Increase --max-sessions."));
  expect(notice).toEqual({
    tone: "error",
    text: "The session could not be started: The runner is at capacity: 1 session. Increase --max-sessions. Press Connect to try again.",
  });
});

test.each(["Failed to fetch", "Load failed", "NetworkError when attempting to fetch resource."])(
  "the browser error %j means that the runner does not answer",
  (message) => {
    expect(startFailed(url, new TypeError(message)).text).toContain(
      "The runner at http://localhost:7860 does not answer",
    );
  },
);

test("an answer that is not JSON is distinguished from a missing answer", () => {
  expect(startFailed(url, new SyntaxError("Unexpected token '<'")).text).toContain(
    "POST /start did not come from the runner",
  );
  expect(startFailed(url, new Error("Timed out")).text).toContain("took too long to answer POST /start");
});

test("a rejected WebSocket has its own text instead of the library's", () => {
  const error = new Error("Failed to connect to websocket: WEBSOCKET_ERROR: WebSocket connection error (1006): ");
  expect(connectFailed(error).text).toContain("did not accept the WebSocket");
  expect(connectFailed(new Error("No audio output")).text).toContain(
    "The connection to the bot failed: No audio output. Press Connect",
  );
});

test.each([
  [1000, "info", "The bot ended the call."],
  [1001, "info", "shutting down"],
  [1006, "error", "was lost"],
  [1011, "error", "The bot failed"],
  [4000, "error", "with code 4000"],
])("close code %i gives the %s notice: %s", (code, tone, text) => {
  const notice = reported(`websocket connection closed. Code: ${code}`);
  expect(notice.tone).toBe(tone);
  expect(notice.text).toContain(text);
});

test("errors from the bot are shown", () => {
  expect(reported("The language model is down")).toEqual({
    tone: "error",
    text: "The bot reported: The language model is down.",
  });
});

test.each(["permissions", "not-found", "in-use", "constraints", "undefined-mediadevices", "unknown"] as const)(
  "without a microphone (%s), the notice says that the call continues",
  (type) => {
    expect(microphoneFailed(type, "it is gone").text).toMatch(
      /\. The bot cannot hear you, but you can hear it and send it text/,
    );
  },
);
