/**
 * `pnpm parity`: sends the same requests to Pipecat's own runner and to ours, and fails if responses or the arguments of bots differ in
 * a way that `docs/parity.md` does not list. Installs Pipecat with pip once. `--verbose` prints all outcomes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { apiKey, openDailyApi } from "../../packages/runner-daily/src/test/daily-api.ts";
import { account, serverProgram, startLiveKitServer } from "../../packages/runner-livekit/src/test/livekit-server.ts";
import { installPipecat } from "../../scripts/python.ts";
import { givenFlags, normalize } from "./bot-arguments.ts";
import { botSetups, everyBot } from "./bot-requests.ts";
import { type Memory, outcomeOf } from "./outcome.ts";
import { type Comparison, type Setup, setups } from "./requests.ts";
import { startOurs, startPython } from "./runners.ts";
import { hasRow, missingNames, namesInSource } from "./table.ts";

const { values } = parseArgs({ options: { verbose: { type: "boolean", default: false } } });
const python = installPipecat();
let compared = 0;
let listed = 0;
let bots = 0;
const problems: string[] = [];

const source = execFileSync(python, ["-c", "import pipecat.runner; print(*pipecat.runner.__path__)"], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
});
const names = namesInSource(source.trim());
for (const name of missingNames(names)) problems.push(`docs/parity.md does not have "${name}" of Pipecat's runner.`);
for (const setup of setups) await compare(setup);
{
  await using daily = await openDailyApi({ roomOrigin: "http://127.0.0.1:9" });
  await using livekit = serverProgram === undefined ? undefined : await startLiveKitServer();
  if (livekit === undefined) console.log("LiveKit was not compared. `pnpm test:livekit` builds its server.");
  const servers = { daily: { url: daily.url, key: apiKey }, livekit: livekit && { url: livekit.url, ...account } };
  for (const setup of botSetups(servers)) await compare(setup);
}
console.log(`${compared} requests: ${compared - listed} answered alike, ${listed} differ as docs/parity.md says.`);
console.log(`${bots} bots were compared by their arguments.`);
console.log(
  `${names.length} flags, variables, routes, fields and arguments of Pipecat's runner were looked up in docs/parity.md.`,
);
if (problems.length > 0) {
  console.error(
    `\n${problems.join("\n")}\n\n${problems.length} differences are not in bench/parity or docs/parity.md.`,
  );
  process.exit(1);
}

async function compare({ flags, env = {}, requests }: Setup): Promise<void> {
  const folder = createFolder();
  try {
    const own = flags.map((flag) => flag.replace("{folder}", folder));
    await using theirs = await startPython(python, own, env);
    await using ours = await startOurs(own, env);
    const [theirMemory, ourMemory]: readonly [Memory, Memory] = [new Map(), new Map()];
    for (const request of requests) {
      const outcomes = [
        outcomeOf(theirs.origin, request, theirMemory),
        outcomeOf(ours.origin, request, ourMemory),
      ] as const;
      report(flags, request, await Promise.all(outcomes));
      if (request.bot === undefined) continue;
      const [theirBot, ourBot] = await Promise.all([theirs.nextBot(), ours.nextBot()]);
      const name = [...flags, request.send].join(" ");
      if (theirBot === undefined || ourBot === undefined) {
        problems.push(`${name}: ${theirBot ? "our" : "Python's"} runner runs no bot.`);
        continue;
      }
      compareBots(name, { ...everyBot, ...request.bot }, [
        normalize(givenFlags(theirBot, ourBot), theirs.origin, theirMemory),
        normalize(ourBot, ours.origin, ourMemory),
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function report(flags: readonly string[], request: Comparison, [theirs, ours]: readonly [string, string]): void {
  const { send, differs, ...rest } = request;
  const name = `${[...flags, send].join(" ")} ${JSON.stringify(rest)}`;
  const short = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  compared += 1;
  if (differs) listed += 1;
  const [expected, expectedHere, row] = differs ?? [theirs, theirs];
  if (theirs !== expected || ours !== expectedHere)
    problems.push(
      `${short}\n  python: ${theirs}\n  here:   ${ours}\n  listed: ${differs ? `${expected} | ${expectedHere}` : "-"}`,
    );
  if (row !== undefined && !hasRow(row)) problems.push(`${short}\n  docs/parity.md has no row with "${row}".`);
  if (values.verbose) console.log(`${short}\n  ${theirs}${theirs === ours ? "" : ` | ${ours}`}`);
}

function compareBots(
  request: string,
  differs: NonNullable<Comparison["bot"]>,
  [theirs, ours]: readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>],
): void {
  bots += 1;
  for (const name of new Set([...theirs.keys(), ...ours.keys(), ...Object.keys(differs)])) {
    const [python, here] = [theirs.get(name) ?? "-", ours.get(name) ?? "-"];
    const listed = differs[name];
    const [expected, expectedHere, row] = listed ?? [python, python];
    if (python !== expected || here !== expectedHere)
      problems.push(
        `${request}: the argument "${name}"\n  python: ${python}\n  here:   ${here}\n  listed: ${listed ? `${expected} | ${expectedHere}` : "-"}`,
      );
    if (row !== undefined && !hasRow(row)) problems.push(`${request}: docs/parity.md has no row with "${row}".`);
    if (values.verbose) console.log(`  ${name}: ${python}${python === here ? "" : ` | ${here}`}`);
  }
}

/** A folder with files to download. */
function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-parity-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "a.txt"), "hello");
  writeFileSync(join(folder, "sub/b.json"), "{}");
  writeFileSync(join(folder, "body.yaml"), "plan: gold\n");
  return folder;
}
