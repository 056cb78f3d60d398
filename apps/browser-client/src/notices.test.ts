import { expect, test } from "vitest";
import { connectFailed, microphoneFailed, reported, startFailed } from "./notices.ts";

const url = "http://localhost:7860/start";

test("a rejected start shows the runner's reason", () => {
  const notice = startFailed(url, new Error("The runner is at capacity: 1 session. Increase --max-sessions."));
  expect(notice).toEqual({
    tone: "error",
    title: "Could not connect",
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
  expect(startFailed(url, new DOMException("", "TimeoutError")).text).toContain("took too long to answer POST /start");
});

test("a missing API key and a wrong one are distinguished", () => {
  const error = Object.assign(new Error("The runner requires an API key."), { status: 401 });
  expect(startFailed(url, error, false)).toMatchObject({ tone: "info", key: "missing" });
  expect(startFailed(url, error, true)).toMatchObject({ tone: "error", key: "wrong" });
});

test("a rejected WebSocket has its own text instead of the library's", () => {
  const error = new Error("Failed to connect to websocket: WEBSOCKET_ERROR: WebSocket connection error (1006): ");
  expect(connectFailed(error).text).toContain("did not accept the WebSocket");
  expect(connectFailed(new Error("No audio output")).text).toContain(
    "The connection to the bot failed: No audio output. Press Connect",
  );
});

test.each([
  [1000, "info", "Call ended", "The bot ended the call."],
  [1001, "info", "Call ended", "shutting down"],
  [1006, "error", "Connection lost", "was lost"],
  [1011, "error", "The bot failed", "The bot failed"],
  [4000, "error", "Call ended", "with code 4000"],
])("close code %i ends the call with the %s notice %s: %s", (code, tone, title, text) => {
  const { notice, ends } = reported(`websocket connection closed. Code: ${code}`);
  expect(notice).toMatchObject({ tone, title });
  expect(notice.text).toContain(text);
  expect(ends).toBe(true);
});

test("errors from the bot are shown, and fatal ones end the call", () => {
  const notice = {
    tone: "error",
    title: "The bot failed",
    text: "The bot reported: The language model is down.",
  };
  expect(reported("The language model is down")).toEqual({ notice, ends: false });
  expect(reported("The language model is down", true)).toEqual({ notice, ends: true });
});

test.each(["permissions", "not-found", "in-use", "constraints", "undefined-mediadevices", "unknown"] as const)(
  "without a microphone (%s), the notice says that the call continues",
  (type) => {
    expect(microphoneFailed(type, "it is gone").text).toMatch(
      /\. The bot cannot hear you, but you can hear it and send it text/,
    );
  },
);
