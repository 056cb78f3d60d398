import { execFile } from "node:child_process";
import type { Requirement } from "../requirement.ts";
import { expect } from "../unmet.ts";

/** Prints, as JSON, what an import has left in the process. Runs in one that did nothing else. */
const probe = `
import { createHook } from "node:async_hooks";
const opened = new Set();
const kinds = /^(TCP|UDP|PIPE|PROCESS|WORKER|HTTP|GETADDRINFO|STATWATCHER|FSEVENTWRAP|SIGNALWRAP|Timeout|Immediate)/;
const listeners = () => process.eventNames().map((name) => String(name) + ":" + process.listenerCount(name)).sort();
process.stdout, process.stderr; // Node's own modules open them when they are first imported
await import("node:http"); // makes globals of Node's own fetch
const before = { listeners: listeners(), env: JSON.stringify(process.env), globals: Reflect.ownKeys(globalThis) };
const hook = createHook({ init: (_, type) => kinds.test(type) && opened.add(type) }).enable();
await import(process.argv[1]);
hook.disable();
const found = [
  ...[...opened].map((type) => "opened a " + type),
  ...listeners().filter((entry) => !before.listeners.includes(entry)).map((entry) => "listens on process for " + entry),
  ...Reflect.ownKeys(globalThis).filter((key) => !before.globals.includes(key)).map((key) => "made the global " + String(key)),
  ...(JSON.stringify(process.env) === before.env ? [] : ["changed process.env"]),
];
console.log("found " + JSON.stringify(found));
`;

/** What happens before anything happens. */
export const importing: readonly Requirement[] = [
  {
    id: "IMPORT-1",
    title: "Importing the transport does nothing",
    reason: "A bot's file imports every transport for its types; type checkers, tests and --help import them too.",
    async check({ adapter, patienceMs }) {
      const { code, stdout, stderr } = await runNode(probe, adapter.entry, patienceMs + 20_000);
      const report = stdout.split("\n").find((line) => line.startsWith("found "));
      expect(code === 0 && report !== undefined, `importing ${adapter.entry} ended with ${code}: ${stderr || stdout}`);
      const found = JSON.parse(report.slice("found ".length)) as string[];
      expect(found.length === 0, `importing it ${found.join(", ")}`);
      const printed = `${stdout.replace(report, "")}${stderr}`.trim();
      expect(printed === "", `importing it printed: ${printed}`);
    },
  },
];

function runNode(
  script: string,
  argument: string,
  timeoutMs: number,
): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = ["--no-warnings", "--input-type=module", "--eval", script, argument];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: timeoutMs }, (error, stdout, stderr) => {
      resolve({
        code: error ? (error.killed ? "a timeout: it keeps the process alive" : error.code) : 0,
        stdout,
        stderr,
      });
    });
  });
}
