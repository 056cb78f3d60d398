import { expect, test } from "vitest";
import { type Activity, announcement, clock, inWords, type Phase } from "./call-state.ts";

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

test("screen readers announce the phases and interruptions of a call, but not who speaks", () => {
  const said = (phase: Phase, activity: Activity = "listening") => announcement({ phase, activity });
  expect([said("active"), said("active", "bot-speaking"), said("active", "caller-speaking")]).toEqual(
    Array(3).fill("In call"),
  );
  expect([said("active", "interrupted"), said("reconnecting")]).toEqual(["The bot was interrupted", "Reconnecting…"]);
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
