import { setTimeout as pause } from "node:timers/promises";
import { startChild } from "../children.ts";
import { percentile } from "../figures.ts";

/** How long a packet takes through the runner and the example bot, and what a bad network does to a caller's voice. */
export interface Echo {
  /** Packet in → packet out, in ms, over the loopback. */
  readonly delayMs: { readonly p50: number; readonly p99: number };
  readonly bad: {
    readonly lostPercent: number;
    /** Shares of the audio that were concealed, and restored from in-band FEC. */
    readonly concealedPercent: number;
    readonly recoveredPercent: number;
    /** What the runner takes longer, in ms, the median: without what the packets themselves took. */
    readonly addedMs: number;
  };
}

interface Heard {
  readonly delaysMs: readonly number[];
  readonly lostPercent: number;
}

interface Packets {
  readonly frames: number;
  readonly concealedMs: number;
  readonly recoveredMs: number;
}

/** So many at once: by the turn in which a packet comes, each call has a delay of its own. */
const callers = 8;
/** Until the chime has been played and delays have been adapted to how packets come: the jitter buffer looks back 10 s. */
const settleMs = 12_000;

export async function measureEcho(seconds: number, lossPercent: number, jitterMs: number): Promise<Echo> {
  const good = await listen(seconds);
  const bad = await listen(seconds, { lossPercent, jitterMs });
  const percent = (ms: number) => (100 * ms) / (bad.packets.frames * 20);
  const p50 = percentile(good.delaysMs, 0.5);
  return {
    delayMs: { p50, p99: percentile(good.delaysMs, 0.99) },
    bad: {
      lostPercent: bad.lostPercent,
      concealedPercent: percent(bad.packets.concealedMs),
      recoveredPercent: percent(bad.packets.recoveredMs),
      addedMs: percentile(bad.delaysMs, 0.5) - p50 - jitterMs / 2,
    },
  };
}

async function listen(
  seconds: number,
  network?: { readonly lossPercent: number; readonly jitterMs: number },
): Promise<Heard & { readonly packets: Packets }> {
  const serving = await startChild("./webrtc/runner-server.ts", 0);
  const calling = await startChild("./webrtc/echo-caller.ts", 1);
  try {
    const { url } = await serving.ask<{ url: string }>({ ask: "url" });
    await calling.ask({ ask: "connect", url, count: callers });
    if (network !== undefined) await calling.ask({ ask: "spoil", ...network });
    await pause(settleMs);
    await calling.ask({ ask: "count" });
    await pause(seconds * 1000);
    const heard = await calling.ask<Heard>({ ask: "disconnect" });
    await pause(1000); // the runner takes half a second to believe that a caller who hangs up is gone
    const { calls } = await serving.ask<{ calls: Packets[] }>({ ask: "packets" });
    const sum = (name: keyof Packets) => calls.reduce((total, call) => total + call[name], 0);
    return {
      ...heard,
      packets: { frames: sum("frames"), concealedMs: sum("concealedMs"), recoveredMs: sum("recoveredMs") },
    };
  } finally {
    await Promise.all([serving.stop(), calling.stop()]);
  }
}
