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
const units = { ms: 1, s: 1_000, db: 1, dbfs: 1, "": 1 } as const;

/** Parses `first-audio<800ms`, `gaps<=2` or `level>-40dB`. Throws an Error. */
export function parseExpectation(text: string): Expectation {
  const [, figure = "", operator = "", value, unit = ""] =
    text.trim().match(/^([a-z-]+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*([a-z]*)$/i) ?? [];
  if (!Object.hasOwn(figures, figure) || !Object.hasOwn(units, unit.toLowerCase())) throw new Error("not a condition");
  return {
    text: text.trim(),
    figure,
    operator: operator as Expectation["operator"],
    value: Number(value) * units[unit.toLowerCase() as keyof typeof units],
  };
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
