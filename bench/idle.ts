import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Figure } from "./figures.ts";
import { createProject, startCommand } from "./startup.ts";
import { readProcess } from "./usage.ts";

/** Until the runner has loaded what its first call needs, and V8 has compiled and collected what the start left. */
const settleMs = 10_000;

/** What a runner with WebRTC and Twilio costs while nobody calls. Linux. */
export async function measureIdle(seconds: number): Promise<Figure[]> {
  using project = await createProject();
  const command = await startCommand(project);
  try {
    await pause(settleMs);
    const before = readProcess(command.pid);
    await pause(seconds * 1000);
    const after = readProcess(command.pid);
    return [
      { name: "idle: memory", value: after.pssMb, unit: "MB", floor: await measureBareNode(), target: "≤ 80" },
      { name: "idle: wakeups", value: (after.wakeups - before.wakeups) / seconds, unit: "per s", target: "≤ 3" },
      { name: "idle: CPU", value: (after.cpuMs - before.cpuMs) / seconds / 10, unit: "% of a core", target: "≤ 0.1" },
    ];
  } finally {
    await command.stop();
  }
}

/** The memory of a Node process that waits, in MB. */
async function measureBareNode(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1e6)"], { stdio: "ignore" });
  await pause(1_000);
  const { pssMb } = readProcess(child.pid ?? 0);
  child.kill();
  await once(child, "exit");
  return pssMb;
}
