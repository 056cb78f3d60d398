/**
 * `pnpm soak [TRANSPORT …] [--sessions 2000]`: has each transport live through so many sessions that end in every way, and
 * prints what they left behind. Fails when that is anything, or when live memory grows with each. Takes some minutes a
 * transport.
 */
import { parseArgs } from "node:util";
import { dialers } from "../server/dialers.ts";
import { soak } from "./soak.ts";

/** A leaked session is ten times as much: its buffers alone are 50 kB. */
const steepestBytes = 5_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sessions: { type: "string", default: "2000" } },
});
const names = Object.keys(dialers) as (keyof typeof dialers)[];
const unknown = positionals.find((name) => !Object.hasOwn(dialers, name));
if (unknown !== undefined) throw new Error(`There is no transport "${unknown}" here, only ${names.join(", ")}.`);

for (const name of names) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const { endings, left, drained, bytesPerSession, seconds, sessions } = await soak(name, Number(values.sessions));
  const reasons = Object.entries(endings).map(([reason, count]) => `${reason} ${count}`);
  console.log(`${name}: ${sessions} sessions in ${seconds} s; ended: ${reasons.join(", ")}`);
  console.log(
    `  left: ${left.join("; ") || "nothing"}; a session: ${inKb(bytesPerSession.live)} live, ${inKb(bytesPerSession.resident)} resident`,
  );
  console.log(`  drained with 20 calls: ${drained.join("; ") || "none cut off, and no other let in"}`);
  if (left.length > 0 || drained.length > 0 || bytesPerSession.live > steepestBytes) process.exitCode = 1;
}

function inKb(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
