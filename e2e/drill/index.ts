/**
 * `pnpm drill [NAME …] [--warm-up 4] [--seconds 10] [--rest 5]`: 30 WebSocket, 10 WebRTC and 10 Twilio callers hear their echo while a fault happens
 * beside them, one fault after another. `NAME` is part of a fault's name. Prints what the callers noticed and what the runner
 * reported, as the table of `docs/reliability.md`. Each fault gets a runner of its own, which has the first core for itself; callers
 * and attackers share the others. Exits with 1 when a fault disturbed others that must not.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { availableParallelism } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { durationMs } from "@pipecat-ts/audio";
import { type FakeCaller, measureLevel } from "@pipecat-ts/runner-testing";
import { dialers, speak } from "../server/callers.ts";
import { type Fault, listFaults } from "./faults.ts";
import { startRunner } from "./runner.ts";

const counts = { websocket: 30, webrtc: 10, twilio: 10 } as const;
/** How much longer a gap may be than without a fault, in ms, beside the time by which the callers are late. */
const allowedGapMs = 60;

/** What the other callers noticed of one fault. */
interface Result {
  /** The longest time without their echo, before the fault and since its begin, in ms. */
  readonly gapBeforeMs: number;
  readonly gapMs: number;
  /** By how much the callers' own process was late at most since the begin of the fault, in ms: it shares a core with attackers. */
  readonly callersLateMs: number;
  /** p99, in ms. */
  readonly pacerLagMs: number | undefined;
  readonly lost: number;
  readonly memory: { readonly beforeBytes: number; readonly afterBytes: number };
  readonly reports: readonly string[];
  readonly exitCode: number | "killed" | null;
}

async function drill({ runner: options, run }: Fault, warmUpMs: number, ms: number, restMs: number): Promise<Result> {
  const runner = await startRunner(options);
  const callers: FakeCaller[] = [];
  let lost = 0;
  const callersLate = monitorEventLoopDelay({ resolution: 5 });
  callersLate.enable();
  try {
    for (const [transport, count] of Object.entries(counts)) {
      for (let index = 0; index < count; index++) {
        callers.push(await dialers[transport as keyof typeof counts](runner));
      }
    }
    for (const { closed } of callers) void closed.then(() => lost++);
    const stops = callers.map(speak);
    await sleep(warmUpMs);
    const startMs = performance.now();
    await sleep(ms / 2);
    await runner.pacerLag();
    const beforeBytes = runner.memory();
    callersLate.reset();
    const faultMs = performance.now();
    await run(runner, ms);
    await sleep(1_000);
    const pacerLagMs = await runner.pacerLag();
    const endMs = performance.now();
    const callersLateMs = callersLate.max / 1e6;
    await sleep(restMs);
    const [afterBytes, lostCalls] = [runner.memory(), lost];
    for (const stop of stops) stop();
    const longest = (from: number, to: number) => Math.max(...callers.map((caller) => longestGap(caller, from, to)));
    return {
      gapBeforeMs: longest(startMs, faultMs),
      gapMs: longest(faultMs, endMs),
      callersLateMs,
      pacerLagMs,
      lost: lostCalls,
      memory: { beforeBytes, afterBytes },
      reports: runner.reports(),
      exitCode: await finish(),
    };
  } finally {
    callersLate.disable();
    await finish();
  }

  async function finish(): Promise<number | "killed" | null> {
    await Promise.all(callers.splice(0).map((caller) => caller.hangUp().finally(() => caller.drop())));
    return await runner.stop();
  }
}

/** The longest time in which the caller did not hear the echo, in ms. */
function longestGap({ playout }: FakeCaller, fromMs: number, toMs: number): number {
  let heardUntilMs = fromMs;
  let longestMs = 0;
  for (const { frame, atMs } of playout.played()) {
    if (atMs < fromMs || atMs > toMs || measureLevel(frame) < -40) continue;
    longestMs = Math.max(longestMs, atMs - heardUntilMs);
    heardUntilMs = atMs + durationMs(frame);
  }
  return Math.max(longestMs, toMs - heardUntilMs);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "warm-up": { type: "string", default: "4" },
    seconds: { type: "string", default: "10" },
    rest: { type: "string", default: "5" },
  },
});
const lastCore = availableParallelism() - 1;
if (lastCore > 0) spawnSync("taskset", ["-cp", `1-${lastCore}`, `${process.pid}`]);
const silent = createServer().listen(0, "127.0.0.1");
await once(silent, "listening");
const inMb = (bytes: number) => Math.round(bytes / 1e6);

console.log(
  "| fault | longest gap before / with it | callers late | pacer lag p99 | calls lost | memory before → after | reported |",
);
console.log("|---|---|---|---|---|---|---|");
for (const fault of listFaults((silent.address() as AddressInfo).port)) {
  if (positionals.length > 0 && !positionals.some((part) => fault.name.includes(part))) continue;
  const [warmUpMs = 0, ms = 0, restMs = 0] = [values["warm-up"], values.seconds, values.rest].map(
    (s) => Number(s) * 1000,
  );
  const result = await drill(fault, warmUpMs, ms, restMs);
  const { gapBeforeMs, gapMs, callersLateMs, pacerLagMs, lost, memory, reports, exitCode } = result;
  const isDisturbed = gapMs - callersLateMs > gapBeforeMs + allowedGapMs || lost > 0 || exitCode !== 0;
  if (isDisturbed && !fault.isShared) process.exitCode = 1;
  const cells = [
    fault.name,
    `${Math.round(gapBeforeMs)} / ${Math.round(gapMs)} ms`,
    `${Math.round(callersLateMs)} ms`,
    pacerLagMs === undefined ? "no answer" : `≤ ${pacerLagMs} ms`,
    `${lost}${exitCode === 0 ? "" : `, exit ${exitCode}`}`,
    `${inMb(memory.beforeBytes)} → ${inMb(memory.afterBytes)} MB`,
    reports.join("; ") || "–",
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
silent.close();
