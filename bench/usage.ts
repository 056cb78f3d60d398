import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { contractVersion, type TransportPlugin } from "@pipecat-ts/runner-core";
import type { LagHistogram, MeasuredPacer } from "@pipecat-ts/runner-media";

/** What this process used since the last question. */
export interface Usage {
  /** Share of one core, in percent. */
  readonly cpuPercent: number;
  /** Resident memory now, in MB. */
  readonly rssMb: number;
}

let cpu = process.cpuUsage();
let at = performance.now();

export function usageSince(): Usage {
  const used = process.cpuUsage(cpu);
  const elapsedMs = performance.now() - at;
  cpu = process.cpuUsage();
  at = performance.now();
  return { cpuPercent: (used.user + used.system) / 10 / elapsedMs, rssMb: process.memoryUsage.rss() / 1e6 };
}

/** How late the ticks of the media timer ran since the last `read`, in ms. */
export interface PacerLag {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A plugin that measures the media timer of its runner. */
export function createPacerObserver(): { readonly plugin: TransportPlugin; read(): PacerLag } {
  let lag: LagHistogram | undefined;
  return {
    plugin: {
      apiVersion: contractVersion,
      name: "observer",
      open(runner) {
        // The runner's pacer measures its lag; the contract does not promise it.
        lag = (runner.pacer as MeasuredPacer).lag;
        return {};
      },
      advanced: { alwaysOpen: true },
    },
    read() {
      const figures = {
        p50Ms: lag?.percentileMs(50) ?? Number.NaN,
        p99Ms: lag?.percentileMs(99) ?? Number.NaN,
      };
      lag?.reset();
      return figures;
    },
  };
}

/** What another process has used since its start, and its memory (proc(5), Linux). */
export interface ProcessUsage {
  readonly cpuMs: number;
  /** Memory shared with other processes counts in proportion. */
  readonly pssMb: number;
  /** How often its threads have waited and were woken up. */
  readonly wakeups: number;
}

/** Zeros if the process has exited. */
export function readProcess(pid: number): ProcessUsage {
  // Fields 14 and 15, in hundredths of a second.
  const [user = 0, system = 0] = readProc(`${pid}/stat`)
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(11, 13)
    .map(Number);
  const wakeups = globSync(`/proc/${pid}/task/*/status`).map((file) =>
    numberIn(readProc(file), "voluntary_ctxt_switches"),
  );
  return {
    cpuMs: 10 * (user + system),
    pssMb: numberIn(readProc(`${pid}/smaps_rollup`), "Pss") / 1024,
    wakeups: wakeups.reduce((sum, each) => sum + each, 0),
  };
}

function numberIn(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

function readProc(file: string): string {
  try {
    return readFileSync(resolve("/proc", file), "utf8");
  } catch {
    return ""; // The process or thread has exited.
  }
}
