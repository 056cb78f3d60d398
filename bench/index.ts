/**
 * `pnpm bench [--seconds 60] [--sessions 1,50,200]`: prints what the runner costs, each figure beside its floor.
 * Needs Linux's `taskset` to hold server and callers to a core each; without it the figures mix.
 */
import { parseArgs } from "node:util";
import { measureSessions } from "./sessions.ts";
import { measureStart } from "./start-requests.ts";
import { measureStartup } from "./startup.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, sessions: { type: "string", default: "1,50,200" } },
});

console.log(`${await measureStartup(7)}\n`);
console.log(`${await measureStart(2000)}\n`);
console.log(await measureSessions(values.sessions.split(",").map(Number), Number(values.seconds)));
