import { markdownTable } from "../figures.ts";
import { measureAnswers } from "./answers.ts";
import { measureEcho } from "./echo.ts";
import type { TimeShares } from "./profile.ts";
import { measureFloor, measureRunner, type SessionsCost } from "./sessions.ts";

/** How long and with how many callers WebRTC is measured. */
export interface WebRTCBench {
  readonly seconds: number;
  readonly sessions: readonly number[];
}

const heading = ["WebRTC", "measured", "target"];

/** How soon callers are answered, and hear something. */
export async function measureWebRTCAnswers(): Promise<string> {
  const { coldMs, warmMs } = await measureAnswers(7, 10);
  return markdownTable([
    heading,
    ["offer → answer, warm", `${warmMs.answer.toFixed(1)} ms`, "15 ms"],
    ["offer → answer, the first of a process", `${coldMs.answer.toFixed(1)} ms`, "60 ms"],
    ["offer → first audio, warm", `${warmMs.firstAudio.toFixed(0)} ms`, "–"],
    ["offer → first audio, the first of a process", `${coldMs.firstAudio.toFixed(0)} ms`, "–"],
  ]);
}

/** What a packet goes through. */
export async function measureWebRTCEcho({ seconds }: WebRTCBench): Promise<string> {
  const { delayMs, bad } = await measureEcho(seconds, 5, 30);
  return markdownTable([
    heading,
    ["packet in → packet out, p50 / p99", `${delayMs.p50.toFixed(0)} / ${delayMs.p99.toFixed(0)} ms`, "80 ms"],
    [
      `${bad.lostPercent.toFixed(1)} % lost, 30 ms of jitter: concealed, restored from in-band FEC`,
      `${bad.concealedPercent.toFixed(1)} %, ${bad.recoveredPercent.toFixed(1)} %`,
      `≤ ${(bad.lostPercent + 1).toFixed(1)} % concealed`,
    ],
    ["and delay added to the packets' own", `${bad.addedMs.toFixed(0)} ms`, "–"],
  ]);
}

/** What sessions cost, each number beside its floor. */
export async function measureWebRTCSessions({ seconds, sessions }: WebRTCBench): Promise<string> {
  const rows = [
    [
      "WebRTC echo sessions",
      "CPU, of a core",
      "per session",
      "the floor's",
      "pacer lateness p50 / p99",
      "RSS",
      "per session",
      "packets back",
    ],
  ];
  for (const count of sessions) {
    const floor = await measureFloor(count, seconds);
    rows.push(costRow(await measureRunner(count, seconds), floor));
  }
  rows.push(["target", "–", "2 %", "–", "p99: 5 ms at 10, 10 ms at 30", "–", "–", "–"]);
  return markdownTable(rows);
}

/** Where the time goes: by a profile of as many sessions as are measured last. */
export async function measureWebRTCProfile({ seconds, sessions }: WebRTCBench): Promise<string> {
  const count = sessions.at(-1) ?? 1;
  const { shares = {}, usage } = await measureRunner(count, Math.min(seconds, 20), true);
  return markdownTable([
    [`Busy time of ${count} sessions`, "share", "of a core, per session"],
    ...shareRows(shares, usage.cpuPercent / count),
  ]);
}

function costRow({ count, usage, emptyMb, returnedPercent }: SessionsCost, floor: SessionsCost): string[] {
  const { p50Ms = Number.NaN, p99Ms = Number.NaN } = usage.lateness ?? {};
  return [
    String(count),
    `${usage.cpuPercent.toFixed(1)} %`,
    `${(usage.cpuPercent / count).toFixed(2)} %`,
    `${(floor.usage.cpuPercent / count).toFixed(2)} %`,
    `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)} ms`,
    `${usage.rssMb.toFixed(0)} MB`,
    `${((usage.rssMb - emptyMb) / count).toFixed(1)} MB`,
    `${returnedPercent.toFixed(1)} %`,
  ];
}

function shareRows(shares: TimeShares, perSessionPercent: number): string[][] {
  return Object.entries(shares).map(([part, share]) => [
    part,
    `${share.toFixed(0)} %`,
    `${((share * perSessionPercent) / 100).toFixed(2)} %`,
  ]);
}
