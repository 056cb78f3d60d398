import { globSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Figure, median, percentile } from "./figures.ts";
import { type Command, createProject, type Project, startCommand } from "./startup.ts";
import { readProcess } from "./usage.ts";

/** Until the workers are ready and the machine is idle. */
const settleMs = 6_000;
const starts = 40;

/** What `--isolation process` costs: its workers while nobody calls, and the start of a session. Linux. */
export async function measureIsolation(seconds: number): Promise<Figure[]> {
  using project = await createProject();
  return [
    ...(await measureWorkers(project, seconds)),
    ...(await measureWarmStarts(project)),
    ...(await measureStartsAtOnce(project)),
  ];
}

function isolated(project: Project, warmWorkers: number, maxWorkers: number): Promise<Command> {
  const flags = ["--isolation", "process", "--warm-workers", String(warmWorkers), "--max-workers", String(maxWorkers)];
  return startCommand(project, ...flags);
}

async function measureWorkers(project: Project, seconds: number): Promise<Figure[]> {
  const command = await isolated(project, 10, 10);
  try {
    await pause(2 * settleMs);
    const pids = [command.pid, ...childrenOf(command.pid)];
    const before = pids.map(readProcess);
    await pause(seconds * 1000);
    const after = pids.map(readProcess);
    const [, ...workers] = after.map((usage, index) => ({
      memory: usage.pssMb,
      wakeups: (usage.wakeups - (before[index]?.wakeups ?? 0)) / seconds,
    }));
    const cpuMs = after.reduce((sum, usage, index) => sum + usage.cpuMs - (before[index]?.cpuMs ?? 0), 0);
    return [
      { name: "idle worker: memory", value: median(workers.map(({ memory }) => memory)), unit: "MB", target: "≤ 80" },
      {
        name: "idle worker: wakeups",
        value: median(workers.map(({ wakeups }) => wakeups)),
        unit: "per s",
        target: "≤ 3",
      },
      { name: "idle gateway with 10 workers: CPU", value: cpuMs / seconds / 10, unit: "% of a core", target: "≤ 1" },
      { name: "gateway: memory", value: after[0]?.pssMb ?? Number.NaN, unit: "MB" },
    ];
  } finally {
    await command.stop();
  }
}

/** Starts one after the other, each when a worker is ready and the machine is idle. */
async function measureWarmStarts(project: Project): Promise<Figure[]> {
  const command = await isolated(project, 2, starts + 4);
  try {
    await pause(settleMs);
    const times: number[] = [];
    for (let count = 0; count < starts; count++) {
      times.push((await timeStart(command)).ms);
      await pause(1_500);
    }
    return [{ name: "POST /start with a warm worker: p50", value: percentile(times, 0.5), unit: "ms", target: "≤ 3" }];
  } finally {
    await command.stop();
  }
}

async function measureStartsAtOnce(project: Project): Promise<Figure[]> {
  const command = await isolated(project, 1, 20);
  try {
    await pause(settleMs);
    const all = await Promise.all(Array.from({ length: 20 }, () => timeStart(command)));
    const accepted = all.filter(({ status }) => status === 200);
    const slowest = Math.max(...accepted.map(({ ms }) => ms));
    return [
      { name: "20 starts at once, one warm worker: accepted", value: accepted.length, unit: "", moreIsBetter: true },
      { name: "20 starts at once, one warm worker: slowest", value: slowest, unit: "ms", target: "≤ 4,000" },
    ];
  } finally {
    await command.stop();
  }
}

async function timeStart({ url }: Command): Promise<{ readonly status: number; readonly ms: number }> {
  const beganMs = performance.now();
  const answer = await fetch(new URL("/start", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ transport: "twilio" }),
  });
  await answer.text();
  return { status: answer.status, ms: performance.now() - beganMs };
}

function childrenOf(pid: number): readonly number[] {
  const files = globSync(`/proc/${pid}/task/*/children`);
  return files.flatMap((file) => readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number));
}
