import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSessionHistory, type EndedSession } from "./history.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function session(id: string, reason: EndedSession["reason"] = "busy"): EndedSession {
  return { id, transport: "fake", startedAt: new Date(0), durationMs: 1, reason };
}

test("a session is remembered for 10 minutes", () => {
  const history = createSessionHistory();
  history.add(session("one"));
  vi.advanceTimersByTime(599_999);
  expect(history.find("one")).toEqual(session("one"));
  vi.advanceTimersByTime(1);
  expect(history.find("one")).toBeUndefined();
});

test("the last 1,000 sessions are remembered, and the later one of two with the same id", () => {
  const history = createSessionHistory();
  for (let number = 0; number < 1_000; number++) history.add(session(String(number)));
  history.add(session("0", "machine"));
  history.add(session("1000"));
  expect(history.find("0")?.reason).toBe("machine");
  expect(history.find("1")).toBeUndefined();
  expect(history.find("2")).toBeDefined();
});
