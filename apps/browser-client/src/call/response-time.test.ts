import { expect, test } from "vitest";
import { ResponseTimer } from "./response-time.ts";

/** Levels every 25 ms: `c` the caller speaks, `b` the bot, `x` both, `.` nobody. */
function responses(levels: string): number[] {
  const timer = new ResponseTimer();
  return [...levels].flatMap((side, index) => {
    const caller = "cx".includes(side) ? -20 : -70;
    const bot = "bx".includes(side) ? -20 : -70;
    return timer.measure(index * 25, { caller, bot }) ?? [];
  });
}

const [speech, pause] = ["c".repeat(20), ".".repeat(24)];

test("measures from the end of the caller's speech to the bot's first sound, once per turn", () => {
  expect(responses(`${speech}${pause}bbb.bbb`)).toEqual([625]);
  expect(responses(`${speech}${pause}bbb${pause}${speech}${pause}${pause}b`)).toEqual([625, 1225]);
  // A pause between two words is not the end.
  expect(responses(`${speech}....${speech}${pause}b`)).toEqual([625]);
});

test("a bot that speaks first, or over the caller, has no response time", () => {
  expect(responses(`bbb${pause}bbb`)).toEqual([]);
  expect(responses(`${speech}xxxxbbbb`)).toEqual([]);
  expect(responses(`${speech}..bbb${pause}bbb`)).toEqual([]);
});

test("a caller who interrupts the bot gets a response time for the next answer", () => {
  expect(responses(`bbbbxxxx${speech}${pause}b`)).toEqual([625]);
});
