/** What a process used since it was last asked. */
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
