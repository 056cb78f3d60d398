import { type DoctorCheck, RunnerError } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { type CheckedItem, itemText, runChecks, summaryText } from "./doctor.ts";

const checks: readonly DoctorCheck[] = [
  { name: "Nest", run: () => ({ state: "passed", detail: "warm" }) },
  { name: "Eggs", run: async () => ({ state: "skipped", reason: "No hen.", fix: "Get one." }) },
  {
    name: "Flight",
    run() {
      throw new RunnerError("INTERNAL", "It rains.", { fix: "Wait." });
    },
  },
  { name: "Song", run: () => Promise.reject(new Error("hoarse")) },
];
const results = [
  { name: "Nest", state: "passed", detail: "warm" },
  { name: "Eggs", state: "skipped", reason: "No hen.", fix: "Get one." },
  { name: "Flight", state: "failed", reason: "It rains.", fix: "Wait." },
  { name: "Song", state: "failed", reason: "hoarse" },
];

test("checks run in order, each is reported, and an exception is a failure", async () => {
  const reported: CheckedItem[] = [];
  expect(await runChecks(checks, (item) => reported.push(item))).toEqual(results);
  expect(reported).toEqual(results);
});

test("a check that hangs fails after 5 s, and its signal aborts", async () => {
  vi.useFakeTimers();
  try {
    let aborted = false;
    const hangs: DoctorCheck = {
      name: "Sleep",
      run(signal) {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        return new Promise(() => undefined);
      },
    };
    const running = runChecks([hangs], () => undefined);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await running).toMatchObject([{ state: "failed", reason: expect.stringContaining("5 s") }]);
    expect(aborted).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test("people read a mark, the reason, and the fix on a line of its own", () => {
  const pipe = Object.assign(Object.create(process.stdout), { isTTY: false, columns: undefined });
  const text = (results as CheckedItem[]).map((item) => itemText(item, pipe)).join("");
  expect(text).toBe(`  ✓ Nest: warm
  – Eggs: No hen.
    → Get one.
  ✗ Flight: It rains.
    → Wait.
  ✗ Song: hoarse
`);
  expect(summaryText(results as CheckedItem[])).toBe(
    "2 of 4 checks failed. Apply the fixes marked →, then run doctor again.",
  );
  expect(summaryText([])).toBe("No check failed.");
});
