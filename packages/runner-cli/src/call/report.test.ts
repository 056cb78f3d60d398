import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { parseExpectation } from "./expectations.ts";
import { type CheckedResult, reportJson, reportText, silentEndNotes } from "./report.ts";
import { createScreen } from "./screen.ts";

const stream = new PassThrough() as unknown as NodeJS.WriteStream;

function result(firstAudioMs: number | undefined, failures: readonly string[] = []): CheckedResult {
  const figures = {
    ...{ answerMs: 12.34, firstAudioMs, bargeInMs: undefined, heardMs: 1_800, levelDb: -14.93 },
    ...{ gaps: 1, longestGapMs: 38.2, durationMs: 4_321 },
  };
  const end = { by: "caller", code: 1000, reason: "" } as const;
  return { figures, end, failures, protocolErrors: [], transcript: [] };
}

const unanswered: CheckedResult = {
  ...result(undefined, ["No runner answers."]),
  figures: { ...result(undefined).figures, answerMs: undefined },
  failure: { code: "RUNNER_UNREACHABLE", message: "No runner answers." },
  end: undefined as never,
};

function text(results: readonly CheckedResult[], notes: readonly string[] = []): string {
  const expectations = [parseExpectation("first-audio<1s")];
  return reportText(
    { transport: "fake", url: "http://localhost:7860", results, planned: results.length, expectations, notes },
    stream,
  );
}

test("one call has its figures in words", () => {
  const lines = text([result(95)], ["The webhook is not signed."]).split("\n");
  expect(lines.map((line) => line.trim().replace(/ {2,}/, " | "))).toEqual([
    "answered after | 12 ms",
    "first audio | 95 ms after the answer",
    "heard | 1.8 s at -14.9 dBFS",
    "gaps | 1, the longest of 38 ms",
    "ended | by the caller after 4.3 s",
    "! The webhook is not signed.",
    "OK: every expectation is met.",
  ]);
});

test("many calls have percentiles, and each failure once with its count", () => {
  const calls = Array.from({ length: 20 }, (_, index) => result(100 + index));
  const report = text([...calls, unanswered, unanswered]);
  expect(report).toMatch(/calls +22, 20 answered/);
  expect(report).toMatch(/p50 +p95 +p99 +max/);
  expect(report).toMatch(/first audio +109 ms +118 ms +119 ms +119 ms/);
  expect(report).toContain("2 × No runner answers.");
  expect(report).toContain("2 of 22 calls failed.");
});

test("JSON has every call and the percentiles; a missing figure is null", () => {
  const json = JSON.parse(
    reportJson({
      transport: "fake",
      url: "http://localhost:7860",
      results: [result(95.26), unanswered],
      planned: 2,
      notes: [],
    }),
  );
  expect(json).toMatchObject({
    answered: 1,
    failed: 1,
    calls: [
      { ok: true, code: null, firstAudioMs: 95.3, bargeInMs: null, end: { by: "caller", code: 1000 } },
      { ok: false, code: "RUNNER_UNREACHABLE", failures: ["No runner answers."], answerMs: null, end: null },
    ],
    percentiles: { firstAudioMs: { p50: 95.3, max: 95.3 } },
  });
});

test("texts of the other side cannot control the terminal", () => {
  const raw = "\u001b[2J\u001b]0;title\u0007red\r\nhello\u009b";
  const end = { by: "bot", code: 1011, reason: raw } as const;
  const report = text([{ ...result(20, [raw]), end, protocolErrors: [raw] }]);
  expect(report.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  expect(report.match(/red {2}hello/g)).toHaveLength(3);
  const shown = new PassThrough({ encoding: "utf8" });
  createScreen(shown as unknown as NodeJS.WriteStream).transcript?.({ speaker: "bot", text: raw });
  expect(shown.read()).toMatch(/red {2}hello *\n$/);
});

test("the line of the levels fits a narrow terminal, which could not clear a second line", () => {
  const terminal = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY: true, columns: 30 });
  createScreen(terminal as unknown as NodeJS.WriteStream).levels?.(-20, -20);
  expect(terminal.read()).toMatch(/^calling .{21}$/);
});

test("calls that the bot ended before any audio are noted where the transport does not tell why", () => {
  const ended = (firstAudioMs: number | undefined, end: object = {}): CheckedResult => ({
    ...result(firstAudioMs),
    end: { by: "bot", reason: "peerLeft", ...end },
  });
  const notes = (...results: CheckedResult[]) => silentEndNotes("webrtc", results);
  expect(notes(ended(undefined))).toEqual([
    "The bot ended the call before any audio. webrtc does not tell why a call ended: see the runner's log.",
  ]);
  expect(notes(ended(undefined), ended(undefined), ended(20))).toEqual([expect.stringContaining("ended 2 calls")]);
  expect(notes(ended(20), ended(undefined, { code: 1000 }), result(undefined))).toEqual([]);
  expect(notes({ ...ended(undefined), sessionReason: "bot-finished" })).toEqual([]);
});
