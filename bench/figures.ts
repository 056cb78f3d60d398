import { table } from "../packages/runner-cli/src/table.ts";

/** One measured value. Less is better, unless `moreIsBetter` is true. */
export interface Figure {
  /** What was measured; unique among the figures of a run. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same for a program that does only the unavoidable work. */
  readonly floor?: number;
  /** The same for Pipecat's own runner. */
  readonly python?: number | undefined;
  readonly target?: string;
  readonly moreIsBetter?: boolean;
}

/** A table of figures, each beside its floor, Pipecat's own runner and its target. */
export function formatFigures(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, floor, python, target = "" }) => [
    name,
    `${round(value)} ${unit}`,
    ...[floor, python].map((other) => (other === undefined ? "" : `${round(other)} ${unit}`)),
    target,
  ]);
  return table([["", "measured", "floor", "Python", "target"], ...rows]);
}

/** Three significant digits. */
export function round(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}

/** The value below which `fraction` of the values lie; NaN without values. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
