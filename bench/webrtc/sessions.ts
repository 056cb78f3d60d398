import { setTimeout as pause } from "node:timers/promises";
import { startChild } from "../children.ts";
import type { PacerLateness } from "../pacer-observer.ts";
import type { Usage } from "../servers/usage.ts";
import type { TimeShares } from "./profile.ts";

const serverCore = 0;
const callerCore = 1;
/** Until the chime has been played, code is compiled, and callers have reported ten times that they lose nothing. */
const settleMs = 15_000;

/** What so many echo sessions cost. */
export interface SessionsCost {
  readonly count: number;
  readonly usage: Usage & { readonly lateness?: PacerLateness };
  /** Resident memory before the first call, in MB. */
  readonly emptyMb: number;
  /** Packets that came back, in percent of those sent. */
  readonly returnedPercent: number;
}

/** The floor: see floor-server.ts. */
export async function measureFloor(count: number, seconds: number): Promise<SessionsCost> {
  const serving = await startChild("./webrtc/floor-server.ts", serverCore);
  const calling = await startChild("./webrtc/floor-callers.ts", callerCore);
  try {
    const { rssMb } = await serving.ask<Usage>({ ask: "usage" });
    const { ports } = await serving.ask<{ ports: number[] }>({ ask: "open", count });
    await calling.ask({ ask: "connect", ports });
    return { count, emptyMb: rssMb, ...(await observe(serving, calling, count, seconds)) };
  } finally {
    await Promise.all([serving.stop(), calling.stop()]);
  }
}

/** The runner; with `profiled` it also tells where the time went, in a further stretch of the same length. */
export async function measureRunner(
  count: number,
  seconds: number,
  profiled = false,
): Promise<SessionsCost & { readonly shares?: TimeShares }> {
  const serving = await startChild("./webrtc/runner-server.ts", serverCore);
  const calling = await startChild("./webrtc/callers.ts", callerCore);
  try {
    const { rssMb } = await serving.ask<Usage>({ ask: "usage" });
    const { url } = await serving.ask<{ url: string }>({ ask: "url" });
    await calling.ask({ ask: "connect", url, count });
    const cost = { count, emptyMb: rssMb, ...(await observe(serving, calling, count, seconds)) };
    if (!profiled) return cost;
    await serving.ask({ ask: "start profile" });
    await pause(seconds * 1000);
    return { ...cost, shares: await serving.ask<TimeShares>({ ask: "stop profile" }) };
  } finally {
    await calling.ask({ ask: "disconnect" });
    await Promise.all([serving.stop(), calling.stop()]);
  }
}

type Process = Awaited<ReturnType<typeof startChild>>;

async function observe(
  serving: Process,
  calling: Process,
  count: number,
  seconds: number,
): Promise<Pick<SessionsCost, "usage" | "returnedPercent">> {
  await pause(settleMs);
  await serving.ask({ ask: "usage" });
  await calling.ask({ ask: "count" });
  await pause(seconds * 1000);
  const usage = await serving.ask<SessionsCost["usage"]>({ ask: "usage" });
  const { received } = await calling.ask<{ received: number }>({ ask: "count" });
  return { usage, returnedPercent: (100 * received) / (count * seconds * 50) };
}
