import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type OptionTable, resolveOptions } from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../adapter.ts";
import { expect, expectSame } from "../assertions.ts";
import type { Fixture, Requirement } from "../fixture.ts";
import { countSettledResources, settleResources } from "../resources.ts";

const withCheck = ({ plugin }: TransportAdapter) => (plugin.check ? undefined : "it has no check");

/** The plugin before a runner opens it. */
export const plugin: readonly Requirement[] = [
  {
    id: "IMPORT-1",
    title: "Importing the transport and its plugin module has no side effects",
    reason: "Bots import every transport for its types, and type checkers, tests and --help import it too.",
    async check({ adapter, timeoutMs }) {
      await expectSilentImport(adapter.entry, process.cwd(), timeoutMs + 20_000);
      const module = pluginModule(adapter.entry);
      if (module) await expectSilentImport(module.specifier, module.folder, timeoutMs + 20_000);
    },
  },
  {
    id: "CHECK-1",
    title: "`check` opens nothing",
    reason: "The CLI calls it for every installed transport at every start and for --help, also for unused ones.",
    turn: "last",
    exempts: withCheck,
    async check(fixture) {
      const before = await countSettledResources();
      const opened = new Set<string>();
      // The test runner opens some, too.
      const isInCheck = new AsyncLocalStorage<true>();
      const hook = createHook({
        init: (_, type) => isInCheck.getStore() && openings.test(type) && opened.add(type),
      }).enable();
      try {
        await isInCheck.run(true, () => runCheck(fixture, fixture.adapter.options ?? {}));
      } finally {
        hook.disable();
      }
      expect(opened.size === 0, `check opened ${[...opened].join(", ")}`);
      const growth = await settleResources(before, fixture.timeoutMs);
      expect(growth.length === 0, `check left open ${growth.join(", ")}`);
    },
  },
  {
    id: "CHECK-2",
    title: "`check` works with and without options, and names a fix for what is missing",
    reason: "The banner shows its answer; without a fix, the user has to guess.",
    exempts: withCheck,
    async check(fixture) {
      const complete = await runCheck(fixture, fixture.adapter.options ?? {});
      expect(complete.state !== "unavailable", `with the adapter's options, check returns ${JSON.stringify(complete)}`);
      const bare = await runCheck(fixture, {});
      if (bare.state === "ready") expectSame("the result of check", bare, { state: "ready" });
      else
        expect(bare.reason.trim() !== "" && bare.fix.trim() !== "", `${JSON.stringify(bare)} lacks a reason or a fix`);
    },
  },
];

const openings = /^(TCP|UDP|PIPE|TLS|PROCESS|WORKER|HTTP|GETADDRINFO|STATWATCHER|FSEVENTWRAP|SIGNALWRAP|Timeout)/;

async function runCheck({ adapter }: Fixture, given: Readonly<Record<string, unknown>>) {
  const table = (adapter.plugin.options ?? {}) as OptionTable<Record<string, unknown>>;
  const options = resolveOptions(table, { given, env: {} });
  const availability = await adapter.plugin.check?.(options, {
    host: "127.0.0.1",
    port: 0,
    trustProxy: false,
    requireAuth: false,
    requireKey: false,
    maxSessions: Number.POSITIVE_INFINITY,
    maxCallDurationMs: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 0,
    cliArgs: {},
  });
  return availability ?? { state: "ready" as const };
}

/** Imports a module in a new process, and prints the side effects as JSON. */
const probe = `
import { createHook } from "node:async_hooks";
const opened = new Set();
const kinds = /^(TCP|UDP|PIPE|PROCESS|WORKER|HTTP|GETADDRINFO|STATWATCHER|FSEVENTWRAP|SIGNALWRAP|Timeout|Immediate)/;
const listeners = () => process.eventNames().map((name) => String(name) + ":" + process.listenerCount(name)).sort();
process.stdout, process.stderr; // Node's own modules open them when they are first imported
await import("node:http"); // creates the globals of Node's fetch
const before = { listeners: listeners(), env: JSON.stringify(process.env), globals: Reflect.ownKeys(globalThis) };
const hook = createHook({ init: (_, type) => kinds.test(type) && opened.add(type) }).enable();
await import(process.argv[1]);
hook.disable();
const found = [
  ...[...opened].map((type) => "opens a " + type),
  ...listeners().filter((entry) => !before.listeners.includes(entry)).map((entry) => "listens on process for " + entry),
  ...Reflect.ownKeys(globalThis).filter((key) => !before.globals.includes(key)).map((key) => "creates the global " + String(key)),
  ...(JSON.stringify(process.env) === before.env ? [] : ["changes process.env"]),
];
console.log("found " + JSON.stringify(found));
`;

async function expectSilentImport(specifier: string, folder: string, timeoutMs: number): Promise<void> {
  const { end, stdout, stderr } = await runNode(probe, specifier, folder, timeoutMs);
  const report = stdout.split("\n").find((line) => line.startsWith("found "));
  expect(end === "" && report !== undefined, `importing ${specifier} ${end || "failed"}: ${stderr || stdout}`);
  const found = JSON.parse(report.slice("found ".length)) as string[];
  expect(found.length === 0, `importing ${specifier} ${found.join(", ")}`);
  const printed = `${stdout.replace(report, "")}${stderr}`.trim();
  expect(printed === "", `importing ${specifier} prints: ${printed}`);
}

/** The plugin module of the package that contains `entry`, where its package.json declares one. */
function pluginModule(entry: string): { readonly specifier: string; readonly folder: string } | undefined {
  if (!entry.startsWith("file:")) return undefined;
  for (let folder = dirname(fileURLToPath(entry)); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) {
      const { name, pipecatRunner } = JSON.parse(readFileSync(manifest, "utf8"));
      const subpath: unknown = pipecatRunner?.plugin;
      return typeof subpath === "string" ? { specifier: `${name}${subpath.slice(1)}`, folder } : undefined;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** `end` is empty for exit code 0. */
function runNode(
  script: string,
  argument: string,
  cwd: string,
  timeoutMs: number,
): Promise<{ readonly end: string; readonly stdout: string; readonly stderr: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = ["--no-warnings", "--input-type=module", "--eval", script, argument];
  const options = { cwd, env, timeout: timeoutMs, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const end = error?.killed ? `did not end within ${timeoutMs} ms` : error ? `ended with ${error.code}` : "";
      resolve({ end, stdout, stderr });
    });
  });
}
