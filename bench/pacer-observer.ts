import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createPacer, type Lateness } from "@pipecat-ts/runner-media";

/** How late the ticks of a runner's calls came since it was last asked, in ms. */
export interface PacerLateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A plugin that sees the pacer which the transports share. */
export function createPacerObserver(): { readonly plugin: TransportPlugin; read(): PacerLateness } {
  let lateness: Lateness | undefined;
  return {
    plugin: {
      name: "observer",
      selectable: false,
      open(runner) {
        lateness = runner.shared("pacer", createPacer).lateness;
        return { close: async () => undefined };
      },
    },
    read() {
      const figures = {
        p50Ms: lateness?.percentileMs(50) ?? Number.NaN,
        p99Ms: lateness?.percentileMs(99) ?? Number.NaN,
      };
      lateness?.reset();
      return figures;
    },
  };
}
