/**
 * `pnpm bench [--seconds 60] [--sessions 1,50,200] [--daily 1,3]`: prints what the runner costs, each figure beside its
 * floor. `--daily ""` and `--sessions ""` leave these out.
 * Needs Linux's `taskset` to hold server and callers to a core each; without it the figures mix.
 */
import { parseArgs } from "node:util";
import { measureDailyBots } from "./daily-bots.ts";
import { measureSessions } from "./sessions.ts";
import { measureStart } from "./start-requests.ts";
import { measureStartup } from "./startup.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    sessions: { type: "string", default: "1,50,200" },
    daily: { type: "string", default: "1,3" },
  },
});

console.log(`${await measureStartup(7)}\n`);
console.log(`${await measureStart(2000)}\n`);
const counts = (list: string) => list.split(",").filter(Boolean).map(Number);
console.log(`${await measureSessions(counts(values.sessions), Number(values.seconds))}\n`);
console.log(await measureDailyBots(counts(values.daily), Math.min(10, Number(values.seconds))));
