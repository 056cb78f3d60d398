/**
 * Does what a newcomer does with each template: creates a project with `npm create`, from the packed packages in a registry on
 * this machine, follows the steps that it prints, calls the bot in Chromium, and runs the project's own tests. The caller must
 * hear the simulated vendor's greeting and its answer. Prints the times and the size of the installation. The times are those
 * of a warm cache from the second run on. Run after `pnpm build`. Arguments: the templates to check, by default all.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  join as joinFrames,
  measureLevel,
  measurePitch,
  silence,
  syllables,
  until,
} from "../../packages/runner-testing/src/index.ts";
import { cacheFolder } from "../../scripts/cache-folder.ts";
import { startRegistry } from "../../scripts/local-registry.ts";
import { packAll, run } from "../../scripts/tarballs.ts";
import { type CallerPage, openCallerPage } from "../browser/caller-page.ts";
import { startBrowser } from "../browser/chromium.ts";
import { openWebClient } from "../browser/web-client.ts";
import { answerHz, greetingHz, startVendors, type Vendors } from "./vendors.ts";

/** What newcomers choose. With `pnpm`, the command that creates the project also installs its dependencies. */
const choices = [
  { template: "realtime", manager: "npm" },
  { template: "gemini", manager: "npm" },
  { template: "gemini", manager: "pnpm" },
  { template: "cascade", manager: "npm" },
  { template: "echo", manager: "npm" },
  { template: "transport", manager: "npm" },
] as const;
type Choice = (typeof choices)[number];

const callerHz = 220;
/** Quiet while the bot greets, then an utterance, and quiet while the bot answers. */
const microphone = joinFrames([
  silence({ durationMs: 5_000, sampleRate: 48_000 }),
  syllables(callerHz, { durationMs: 2_000, sampleRate: 48_000 }),
  silence({ durationMs: 5_000, sampleRate: 48_000 }),
]);
/** In dBFS: the level of the vendors' speech, and how much WebRTC may change it. */
const vendorDb = -15;
const toleranceDb = 3;
/** How long a sound may take, in ms: the caller speaks every 12 s, and a busy machine interrupts. */
const hearWithinMs = 30_000;
const address = /http:\/\/localhost:\d+/;

const temporary = realpathSync(mkdtempSync(join(tmpdir(), "pipecat-templates-")));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
const packages = await packAll(join(temporary, "tarballs"));
const upstream = (await run("npm", ["config", "get", "registry"], temporary)).trim();
const registry = await startRegistry(packages, upstream);
const browser = await startBrowser(microphone);
const npmCache = join(cacheFolder(process.env), "npm");
const env: NodeJS.ProcessEnv = {
  ...process.env,
  npm_config_registry: `${registry.origin}/`,
  pnpm_config_registry: `${registry.origin}/`,
  // A cache of its own: in the user's, `npm create` would find the package of the last run, which has the same version.
  npm_config_cache: npmCache,
  pnpm_config_cache_dir: join(temporary, "pnpm"),
  npm_config_yes: "true",
  PIPECAT_RUNNER_PORT: "0",
};

/** What a step printed, and how long it took. */
interface Step {
  readonly printed: string;
  readonly ms: number;
}

/** Runs a command as it is printed. */
async function follow(command: string, cwd: string): Promise<Step> {
  const startedAt = performance.now();
  const printed = await run("sh", ["-c", `${command} 2>&1`], cwd, env);
  return { printed, ms: performance.now() - startedAt };
}

async function check({ template, manager }: Choice): Promise<string> {
  const name = `my-${template}-${manager}`;
  const vendors = await startVendors[template]?.(temporary);
  try {
    const created = await follow(
      manager === "npm"
        ? `npm create pipecat-bot ${name} -- --template ${template} --yes --no-install`
        : `npx -y pnpm@12 create pipecat-bot ${name} --template ${template} --yes`,
      temporary,
    );
    const commands = [...created.printed.matchAll(/^│ {2}(\S.*?) *│$/gm)].map(([, command = ""]) => command);
    const [cd = "", start = ""] = [commands.shift(), commands.pop()];
    const project = join(temporary, cd.replace(/^cd /, ""));
    let installed: Step | undefined;
    for (const command of commands) {
      const step = await follow(command, project);
      if (command.endsWith(" install")) installed = step;
    }
    for (const [variable, value] of Object.entries(vendors?.env ?? {}))
      appendFileSync(join(project, ".env"), `${variable}=${value}\n`);
    const firstWordMs = template === "transport" ? undefined : await call(project, start, vendors);
    await follow(`${manager} run types`, project);
    const tested = await follow(`${manager} test`, project);

    const times = {
      created: created.ms,
      installed: installed?.ms,
      "first word": firstWordMs,
      total: created.ms + (installed?.ms ?? 0) + (firstWordMs ?? 0),
      tested: tested.ms,
    };
    const columns = Object.entries(times).map(([what, ms]) => `${what} ${ms === undefined ? "   – " : seconds(ms)}`);
    const printed = `${created.printed}\n${installed?.printed}`;
    const warnings = printed.match(/^(?:npm warn|.*\bWARN\b).*$/gm) ?? [];
    return [
      `${`${template}, ${manager}`.padEnd(14)}  ${columns.join("  ")}  ${await sizeOf(project)}`,
      ...warnings,
    ].join("\n  ");
  } finally {
    await vendors?.close();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(6);
}

async function sizeOf(project: string): Promise<string> {
  const modules = join(project, "node_modules");
  const [megabytes] = (await run("du", ["-sm", modules], project)).split("\t");
  const installed = existsSync(join(modules, ".pnpm"))
    ? readdirSync(join(modules, ".pnpm")).filter((name) => name.includes("@"))
    : Object.keys(JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages);
  return `${megabytes} MB in ${installed.length} packages`;
}

/**
 * Starts the bot with the command `start`, and calls it from its page, until the caller has heard the bot. Returns how long the
 * first word took, in ms.
 */
async function call(project: string, start: string, vendors: Vendors | undefined): Promise<number> {
  const startedAt = performance.now();
  const program = launch(start, project, vendors?.certificate);
  try {
    await until(
      "the runner listens",
      () => address.test(program.printed()) || program.process.exitCode !== null,
      30_000,
    );
    const [origin = ""] = address.exec(program.printed()) ?? [];
    const page = await openCallerPage(browser.browser, origin);
    try {
      const client = await openWebClient(page, origin);
      await client.connect.click();
      await hear(page, vendors ? greetingHz : callerHz, vendors !== undefined);
      const firstWordMs = performance.now() - startedAt;
      if (vendors) await hear(page, answerHz, true);
      await client.disconnect.click();
      if (page.errors.length > 0) throw new Error(page.errors.join("\n"));
      return firstWordMs;
    } finally {
      await page.close();
    }
  } catch (error) {
    throw new Error(`${error}\n${program.printed()}`, { cause: error });
  } finally {
    await program.interrupt();
  }
}

/** Waits until the page plays a sound of pitch `hz`; a vendor's speech has its level. */
async function hear(page: CallerPage, hz: number, isVendor: boolean): Promise<void> {
  const deadline = performance.now() + hearWithinMs;
  for (;;) {
    const audio = await page.last("played", 200);
    const [pitch = 0, level] = [measurePitch(audio), measureLevel(audio)];
    if (Math.abs(pitch / hz - 1) < 0.01 && (!isVendor || Math.abs(level - vendorDb) <= toleranceDb)) return;
    if (performance.now() > deadline)
      throw new Error(
        `The page plays ${Math.round(pitch)} Hz at ${Math.round(level)} dBFS, and ${hz} Hz not within ${hearWithinMs / 1000} s.`,
      );
    await sleep(50);
  }
}

/** Runs the command `start` as a terminal does: Ctrl-C reaches npm and the runner. */
function launch(start: string, cwd: string, certificate: string | undefined) {
  const child: ChildProcess = spawn("sh", ["-c", start], {
    cwd,
    env: { ...env, ...(certificate !== undefined && { NODE_EXTRA_CA_CERTS: certificate }) },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const closed = once(child, "close");
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (part) => (text += part));
  return {
    process: child,
    printed: () => text,
    async interrupt() {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGINT");
      await closed;
    },
  };
}

try {
  rmSync(join(npmCache, "_npx"), { recursive: true, force: true });
  const chosen = process.argv.slice(2);
  for (const choice of choices) {
    if (chosen.length > 0 && !chosen.includes(choice.template)) continue;
    try {
      console.log(await check(choice));
    } catch (error) {
      console.error(`${choice.template}, ${choice.manager}: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
  console.log(`${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`);
} finally {
  await browser[Symbol.asyncDispose]();
  await registry.close();
}
