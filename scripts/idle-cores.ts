import { availableParallelism, cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** How long `countIdleCores` measures, in ms. */
const measurementMs = 400;

/** The number of this machine's cores that other programs leave idle now. */
export async function countIdleCores(): Promise<number> {
  const before = readTicks();
  await sleep(measurementMs);
  const after = readTicks();
  const idle = (after.idle - before.idle) / Math.max(1, after.total - before.total);
  return idle * availableParallelism();
}

function readTicks(): { readonly idle: number; readonly total: number } {
  const times = cpus().map((cpu) => cpu.times);
  const idle = times.reduce((sum, each) => sum + each.idle, 0);
  return { idle, total: times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle) };
}
