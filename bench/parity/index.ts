/**
 * `pnpm parity`: sends the same requests to Pipecat's own runner and to ours, and fails if they answer differently in a way that
 * `docs/parity.md` does not list. Installs Pipecat with pip once. `--verbose` prints all outcomes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installPipecat } from "../../scripts/python.ts";
import { type Memory, outcomeOf } from "./outcome.ts";
import { type Comparison, type Setup, setups } from "./requests.ts";
import { startOurs, startPython } from "./runners.ts";
import { hasRow, missingNames, namesInSource } from "./table.ts";

const { values } = parseArgs({ options: { verbose: { type: "boolean", default: false } } });
const python = installPipecat();
let compared = 0;
let listed = 0;
const problems: string[] = [];

const source = execFileSync(python, ["-c", "import pipecat.runner; print(*pipecat.runner.__path__)"], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
});
const names = namesInSource(source.trim());
for (const name of missingNames(names)) problems.push(`docs/parity.md does not have "${name}" of Pipecat's runner.`);
for (const setup of setups) await compare(setup);
console.log(`${compared} requests: ${compared - listed} answered alike, ${listed} differ as docs/parity.md says.`);
console.log(`${names.length} flags, variables and routes of Pipecat's runner were looked up in docs/parity.md.`);
if (problems.length > 0) {
  console.error(
    `\n${problems.join("\n")}\n\n${problems.length} differences are not in bench/parity/requests.ts or docs/parity.md.`,
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

/** A folder with files to download. */
function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-parity-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "a.txt"), "hello");
  writeFileSync(join(folder, "sub/b.json"), "{}");
  return folder;
}
