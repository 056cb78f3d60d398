import { type Figure, median, round } from "./figures.ts";

/** A figure of all runs of a measurement, as `pnpm bench --json` writes it. */
export interface Series extends Pick<Figure, "name" | "unit" | "moreIsBetter"> {
  /** One value per run. */
  readonly values: readonly number[];
}

/** How a figure has changed. `noise`: the runs of both sides overlap, or their medians differ by less than 5 %. */
export interface Change extends Pick<Series, "name" | "unit"> {
  readonly before: number;
  readonly after: number;
  readonly verdict: "better" | "worse" | "noise";
  /** How much worse the median is, in percent; negative if it is better. */
  readonly worsePercent: number;
}

/** Changes below this are noise even if the runs do not overlap, in percent. */
const noisePercent = 5;

/** The runs of two measurements of the same version. */
export function merge(earlier: readonly Series[], later: readonly Series[]): Series[] {
  const added = new Map(later.map((series) => [series.name, series]));
  const known = new Set(earlier.map(({ name }) => name));
  return [
    ...earlier.map((series) => ({ ...series, values: [...series.values, ...(added.get(series.name)?.values ?? [])] })),
    ...later.filter(({ name }) => !known.has(name)),
  ];
}

/** Whether a figure is 10 % worse or more. */
export function isWorse(changes: readonly Change[]): boolean {
  return changes.some(({ verdict, worsePercent }) => verdict === "worse" && worsePercent >= 10);
}

/** Compares the figures that both measurements have. */
export function compare(before: readonly Series[], after: readonly Series[]): Change[] {
  const earlier = new Map(before.map((series) => [series.name, series]));
  return after.flatMap((now) => {
    const then = earlier.get(now.name);
    return then === undefined ? [] : [changeOf(then, now)];
  });
}

function changeOf(then: Series, { name, unit, values, moreIsBetter = false }: Series): Change {
  const [before, after] = [median(then.values), median(values)];
  const grownPercent = (100 * (after - before)) / Math.abs(before);
  const worsePercent = moreIsBetter ? -grownPercent : grownPercent;
  const overlap = Math.min(...values) <= Math.max(...then.values) && Math.min(...then.values) <= Math.max(...values);
  const isNoise = overlap || !(Math.abs(worsePercent) >= noisePercent);
  return {
    name,
    unit,
    before,
    after,
    worsePercent,
    verdict: isNoise ? "noise" : worsePercent > 0 ? "worse" : "better",
  };
}

/** A Markdown table of changes. */
export function formatChanges(changes: readonly Change[]): string {
  const rows = changes.map(({ name, unit, before, after, verdict, worsePercent }) => {
    const percent = Number.isFinite(worsePercent)
      ? ` (${worsePercent > 0 ? "+" : ""}${worsePercent.toFixed(0)} %)`
      : "";
    return `| ${name} | ${round(before)} ${unit} | ${round(after)} ${unit} | ${verdict}${percent} |`;
  });
  return ["| | before | after | |", "|---|---|---|---|", ...rows].join("\n");
}
