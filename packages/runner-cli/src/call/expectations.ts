import { parseDuration } from "./duration.ts";
import type { CallFigures } from "./figures.ts";

/** A condition that every call must meet: `first-audio<800ms`. */
export interface Expectation {
  /** As it was written. */
  readonly text: string;
  /** One of `figureNames`. */
  readonly figure: string;
  readonly operator: "<" | "<=" | ">" | ">=";
  readonly value: number;
}

/** The figures of `--expect`, and where they are in the figures of a call. */
const figures: Readonly<Record<string, keyof CallFigures>> = {
  answer: "answerMs",
  "first-audio": "firstAudioMs",
  "barge-in": "bargeInMs",
  gaps: "gaps",
  "longest-gap": "longestGapMs",
  level: "levelDb",
  heard: "heardMs",
  duration: "durationMs",
};

export const figureNames: readonly string[] = Object.keys(figures);

const operators = {
  "<": (a: number, b: number) => a < b,
  "<=": (a: number, b: number) => a <= b,
  ">": (a: number, b: number) => a > b,
  ">=": (a: number, b: number) => a >= b,
} as const;

/**
 * Parses `first-audio<800ms`, `gaps<=2` or `level>-40dB`. Durations have a unit: ms, s or m. Throws an Error.
 */
export function parseExpectation(text: string): Expectation {
  const [, figure = "", operator = "", amount = ""] = text.trim().match(/^([a-z-]+)\s*(<=|>=|<|>)\s*(.+)$/) ?? [];
  const value = Object.hasOwn(figures, figure) ? parseValue(String(figures[figure]), amount) : Number.NaN;
  if (Number.isNaN(value)) throw new Error("not a condition");
  return { text: text.trim(), figure, operator: operator as Expectation["operator"], value };
}

/** In the unit of the figure: ms, dBFS or a count. NaN for other texts. */
function parseValue(name: string, amount: string): number {
  if (name.endsWith("Ms")) return parseDuration(amount);
  const unit = name.endsWith("Db") ? /\s*dB(FS)?$/i : "";
  const number = amount.replace(unit, "");
  return /^-?\d+(\.\d+)?$/.test(number) ? Number(number) : Number.NaN;
}

/** Why a call does not meet a condition; `undefined` when it does. A figure that was not measured does not meet any condition. */
export function failureReason({ text, figure, operator, value }: Expectation, call: CallFigures): string | undefined {
  const name = figures[figure];
  const measured = name && call[name];
  if (measured === undefined) {
    return `${text}: not measured (${figure === "barge-in" ? "the bot was not interrupted" : "the bot was silent"})`;
  }
  return operators[operator](measured, value) ? undefined : `${text}: measured ${round(measured)}${unitOf(name)}`;
}

function unitOf(name: string | undefined): string {
  return name?.endsWith("Ms") ? " ms" : name?.endsWith("Db") ? " dBFS" : "";
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
