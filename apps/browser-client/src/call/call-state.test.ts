import { expect, test } from "vitest";
import { type Activity, clock, inWords, type Phase } from "./call-state.ts";

test("every state has words of its own", () => {
  const phases: Phase[] = ["idle", "starting", "microphone", "connecting", "waiting", "reconnecting", "ended"];
  const activities: Activity[] = ["listening", "caller-speaking", "bot-speaking", "interrupted"];
  const words = [
    ...phases.map((phase) => inWords({ phase, activity: "listening" })),
    ...activities.map((activity) => inWords({ phase: "active", activity })),
  ];
  expect(new Set(words).size).toBe(words.length);
  expect(words).not.toContain("");
});

test("an ended call says how it ended", () => {
  const notice = { tone: "error", title: "The bot failed", text: "No model." } as const;
  expect(inWords({ phase: "ended", activity: "listening", notice })).toBe("The bot failed");
});

test.each([
  [0, "0:00"],
  [65_900, "1:05"],
  [3_600_000, "1:00:00"],
])("%i ms are %s", (ms, text) => {
  expect(clock(ms)).toBe(text);
});
