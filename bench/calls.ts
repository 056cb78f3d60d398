import { startChild } from "./children.ts";
import { table } from "./figures.ts";
import { type Measurement, measureEcho } from "./sessions.ts";

/**
 * What phone calls cost: callers in one process speak mu-law to the runner in another, which echoes them by 16,000 Hz, then
 * by 8,000 Hz as it comes, then the same number to a bare `ws` echo of the same frames.
 */
export async function measureCalls(counts: readonly number[], seconds: number): Promise<string> {
  const rows = [["calls", "server", "CPU % of a core", "times bare", "audio back", "late p50/p99 ms", "MB a call"]];
  for (const count of counts) {
    const bare = await measure("./servers/bare.ts", count, seconds);
    rows.push(row(count, "bare ws echo", bare, bare));
    for (const rate of [16_000, 8_000]) {
      const runner = await measure("./servers/phone.ts", count, seconds, rate);
      rows.push(row(count, `runner, ${rate} Hz`, runner, bare));
    }
  }
  return table(rows);
}

async function measure(
  module: string,
  count: number,
  seconds: number,
  audioInSampleRate?: number,
): Promise<Measurement> {
  return await measureEcho({
    startServer: (core) => startChild(module, core),
    callers: "./phone-callers.ts",
    question: { ask: "url", audioInSampleRate },
    count,
    seconds,
  });
}

function row(count: number, server: string, measured: Measurement, bare: Measurement): string[] {
  const { usage, lateness, returnedPercent, idleRssMb } = measured;
  return [
    String(count),
    server,
    usage.cpuPercent.toFixed(1),
    `${(usage.cpuPercent / bare.usage.cpuPercent).toFixed(2)} ×`,
    `${returnedPercent.toFixed(1)} %`,
    lateness ? `${lateness.p50Ms.toFixed(1)} / ${lateness.p99Ms.toFixed(1)}` : "–",
    ((usage.rssMb - idleRssMb) / count).toFixed(2),
  ];
}
