/** The echo bot. Reports its arguments as `bot.py` does. */
import type { RunnerArguments } from "pipecat-runner";
import { bot as echo } from "../../apps/echo-bot/bot.ts";

export async function bot(args: RunnerArguments): Promise<void> {
  console.log(`parity-arguments ${JSON.stringify(describe({ ...args }))}`);
  if (args.transport === "daily" || args.transport === "livekit") return; // It does not join the room.
  await echo(args);
}

/** JSON, with `object` for what JSON cannot express. */
function describe(value: unknown, depth = 0): unknown {
  if (Array.isArray(value)) return value.map((item) => describe(item, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value);
  const isPlain = Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null;
  if (depth > 0 && (!isPlain || fields.some(([, item]) => typeof item === "function"))) return "object";
  return Object.fromEntries(fields.map(([name, item]) => [name, describe(item, depth + 1)]));
}
