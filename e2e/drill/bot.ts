import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerArguments } from "pipecat-runner";
import { bot as echo } from "../../apps/echo-bot/bot.ts";

/** What the bot of a drill does besides its echo, as the body of its session: `{"fault": "block", "ms": 5000}`. */
export interface BotFault {
  readonly fault?: "block" | "allocate" | "throw" | "clock" | "return";
  /** How long it blocks, by how much it steps the clock, or when it returns, in ms. */
  readonly ms?: number;
}

export async function bot(args: RunnerArguments): Promise<void> {
  const { fault, ms = 0 } = Object(args.body) as BotFault;
  if (fault === "block") setTimeout(() => block(ms), 1_000);
  if (fault === "clock") stepClock(ms);
  if (fault === "throw") setTimeout(() => JSON.parse("{"), 1_000);
  if (fault === "allocate") void allocate();
  await Promise.race([echo(args), ...(fault === "return" ? [sleep(ms)] : [])]);
}

function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Steps what `Date` tells, as when the clock of the machine is set. */
function stepClock(ms: number): void {
  const now = Date.now.bind(Date);
  Date.now = () => now() + ms;
}

/** Allocates 400 MB in small objects, of which it keeps the last 40 MB. */
async function allocate(): Promise<void> {
  const kept: object[][] = [];
  for (let step = 0; step < 100; step++) {
    kept.push(Array.from({ length: 50_000 }, (_, index) => ({ index, square: index ** 2 })));
    if (kept.length > 10) kept.shift();
    await sleep(20);
  }
}
