import type { Figure } from "./figures.ts";
import type { PacerLag, Usage } from "./usage.ts";

/** The cost of one number of echo sessions. */
export interface Cost {
  readonly count: number;
  readonly usage: Usage & { readonly lag?: PacerLag };
  /** The server's resident memory before the first session, in MB. */
  readonly idleRssMb: number;
  /** Share of the sent audio that came back, in percent. */
  readonly returnedPercent: number;
}

/** The figures of one number of sessions, beside their floor and Pipecat's own runner. */
export function costFigures(name: string, measured: Cost, floor: Cost, python: Cost | undefined): Figure[] {
  const beside = (value: (cost: Cost) => number) => ({
    value: value(measured),
    floor: value(floor),
    python: python && value(python),
  });
  return [
    { name: `${name}: CPU each`, unit: "% of a core", ...beside(({ usage, count }) => usage.cpuPercent / count) },
    {
      name: `${name}: memory each`,
      unit: "MB",
      ...beside(({ usage, idleRssMb, count }) => (usage.rssMb - idleRssMb) / count),
    },
    { name: `${name}: pacer lag p99`, unit: "ms", value: measured.usage.lag?.p99Ms ?? Number.NaN },
    { name: `${name}: audio back`, unit: "%", moreIsBetter: true, ...beside(({ returnedPercent }) => returnedPercent) },
  ];
}
