/**
 * `pnpm bench [startup|start|sessions|calls|daily …] [--seconds 60] [--sessions 1,50,200] [--calls 50,200,500]
 * [--daily 1,3]`: prints what the runner costs, or the parts of it that are named, each figure beside its floor.
 * Needs Linux's `taskset` to hold server and callers to a core each; without it the figures mix.
 */
import { parseArgs } from "node:util";
import { measureCalls } from "./calls.ts";
import { measureDailyBots } from "./daily-bots.ts";
import { measureSessions } from "./sessions.ts";
import { measureStart } from "./start-requests.ts";
import { measureStartup } from "./startup.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "60" },
    sessions: { type: "string", default: "1,50,200" },
    calls: { type: "string", default: "50,200,500" },
    daily: { type: "string", default: "1,3" },
  },
});
const seconds = Number(values.seconds);
const parts: Readonly<Record<string, () => Promise<string>>> = {
  startup: () => measureStartup(7),
  start: () => measureStart(2000),
  sessions: () => measureSessions(values.sessions.split(",").map(Number), seconds),
  calls: () => measureCalls(values.calls.split(",").map(Number), seconds),
  daily: () => measureDailyBots(values.daily.split(",").map(Number), Math.min(10, seconds)),
};
const chosen = positionals.length > 0 ? positionals : Object.keys(parts);
for (const name of chosen) {
  const measure = parts[name];
  if (!measure) throw new Error(`There is no part "${name}": ${Object.keys(parts).join(", ")}.`);
  console.log(`${await measure()}\n`);
}
