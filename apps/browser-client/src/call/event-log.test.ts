import { beforeAll, expect, test, vi } from "vitest";
import { asText, clockTime, filtered, type LoggedEvent, logged } from "./event-log.ts";

beforeAll(() => {
  vi.stubGlobal("MediaStreamTrack", class {});
  return () => vi.unstubAllGlobals();
});

test("events are shortened, numbered, filtered by type and data, and copied as lines", () => {
  let events: LoggedEvent[] = logged([], "transport", "ready", 0);
  events = logged(events, "bot-output", { text: "x".repeat(600) }, 1000);
  events = logged(events, "bot-stopped-speaking", undefined, 2000);
  expect(events.map(({ id }) => id)).toEqual([1, 2, 3]);
  expect(events[1]?.data).toHaveLength(501);
  expect(filtered(events, " READY ").map(({ type }) => type)).toEqual(["transport"]);
  expect(filtered(events, "bot").map(({ type }) => type)).toEqual(["bot-output", "bot-stopped-speaking"]);
  expect(asText(filtered(events, "e"))).toMatch(
    /^1970-01-01T00:00:00.000Z transport ready\n.+ bot-output \{ "text".+\n1970-01-01T00:00:02.000Z bot-stopped-speaking$/,
  );
});

test("an event shows the time of day in 24 hours, and its data with spaces where lines may break", () => {
  expect(clockTime(new Date(2030, 0, 1, 21, 5, 9).getTime())).toBe("21:05:09");
  const [event] = logged([], "bot-output", { text: "two\n lines", segment_id: 1 }, 0);
  expect(event?.data).toBe('{ "text": "two\\n lines", "segment_id": 1 }');
});

test("the last 500 events are kept", () => {
  let events: LoggedEvent[] = [];
  for (let index = 0; index < 510; index++) events = logged(events, "bot-llm-text", undefined, index);
  expect(events).toHaveLength(500);
  expect(events.at(-1)?.id).toBe(510);
});
