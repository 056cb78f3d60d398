/**
 * `pnpm start`: builds the web client if its source is newer, then runs the example bot in this process, as
 * `pipecat-runner apps/echo-bot/bot.ts` does. Passes its arguments on.
 */
import { spawnSync } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "../packages/runner-cli/src/run.ts";

const root = dirname(import.meta.dirname);
const client = join(root, "apps/browser-client");

function changedAt(...patterns: readonly string[]): number {
  return Math.max(0, ...globSync(patterns, { cwd: client }).map((file) => statSync(join(client, file)).mtimeMs));
}

if (changedAt("dist/index.html") < changedAt("src/**", "public/**", "*.{html,json,ts}")) {
  console.log("Building the web client…");
  const { status } = spawnSync("pnpm", ["--silent", "run", "build"], {
    cwd: client,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) console.error("Cannot build the web client: run `pnpm build`. The bot runs without it.");
}

const argv = process.argv.slice(2);
await run([join(root, "apps/echo-bot/bot.ts"), ...(argv[0] === "--" ? argv.slice(1) : argv)]);
