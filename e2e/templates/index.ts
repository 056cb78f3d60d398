/**
 * Does what a newcomer does with each template: creates a project with `npm create`, from the packed packages in a registry on
 * this machine, follows the steps that it prints, calls the bot, runs the project's own tests, and does what its Dockerfile says.
 * Callers use Chromium, and those of the template `transport` its own wire format. They must hear the simulated vendor's greeting
 * and its answer, or themselves. Prints the times and the size of the installation. The times are those of a warm cache from the
 * second run on. Run after `pnpm build`. Arguments: the templates to check, by default all.
 */
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
} from "../../packages/runner-testing/src/index.ts";
import { cacheFolder } from "../../scripts/cache-folder.ts";
import { startRegistry } from "../../scripts/local-registry.ts";
import { packAll, run } from "../../scripts/tarballs.ts";
import { type CallerPage, openCallerPage } from "../browser/caller-page.ts";
import { startBrowser } from "../browser/chromium.ts";
import { openWebClient } from "../browser/web-client.ts";
import { checkDockerfile } from "./image.ts";
import { launch } from "./program.ts";
import { callOverTransport } from "./transport-caller.ts";
import { answerHz, greetingHz, startVendors, type Vendors } from "./vendors.ts";

/** What newcomers choose. With `pnpm`, the command that creates the project also installs its dependencies. */
const choices = [
  { template: "realtime", manager: "npm", language: "ts" },
  { template: "realtime", manager: "npm", language: "js" },
  { template: "gemini", manager: "npm", language: "ts" },
  { template: "gemini", manager: "pnpm", language: "ts" },
  { template: "cascade", manager: "npm", language: "ts" },
  { template: "echo", manager: "npm", language: "ts" },
  { template: "transport", manager: "npm", language: "ts" },
  { template: "transport", manager: "npm", language: "js" },
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

async function check(choice: Choice): Promise<string> {
  const { template, manager, language } = choice;
  const name = `my-${template}-${manager}-${language}`;
  const vendors = await startVendors[template]?.(temporary);
  try {
    const created = await follow(
      manager === "npm"
        ? `npm create pipecat-bot ${name} -- --template ${template} --${language} --yes --no-install`
        : `npx -y pnpm@12 create pipecat-bot ${name} --template ${template} --${language} --yes`,
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
    const firstWordMs = await call(project, start, vendors, template === "transport");
    if (language === "ts") await follow(`${manager} run types`, project);
    const tested = await follow(`${manager} test`, project);
    const image = existsSync(join(project, "Dockerfile"))
      ? `, image without Node ${await checkDockerfile(project, join(temporary, `${name}-image`), env)} MB`
      : "";

    const times = {
      created: created.ms,
      installed: installed?.ms,
      "first word": firstWordMs,
      total: created.ms + (installed?.ms ?? 0) + firstWordMs,
      tested: tested.ms,
    };
    const columns = Object.entries(times).map(([what, ms]) => `${what} ${ms === undefined ? "   – " : seconds(ms)}`);
    const printed = `${created.printed}\n${installed?.printed}`;
    const warnings = printed.match(/^(?:npm warn|.*\bWARN\b).*$/gm) ?? [];
    return [`${titleOf(choice)}  ${columns.join("  ")}  ${await sizeOf(project)}${image}`, ...warnings].join("\n  ");
  } finally {
    await vendors?.close();
  }
}

function titleOf({ template, manager, language }: Choice): string {
  return `${template}, ${manager}, ${language}`.padEnd(18);
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
 * Starts the bot with the command `start`, and calls it until the caller has heard the bot: from its page, or over the transport
 * that the project is. Returns how long the first word took, in ms.
 */
async function call(
  project: string,
  start: string,
  vendors: Vendors | undefined,
  isTransport: boolean,
): Promise<number> {
  const startedAt = performance.now();
  const certificate = vendors?.certificate;
  const program = await launch(start, project, {
    ...env,
    ...(certificate !== undefined && { NODE_EXTRA_CA_CERTS: certificate }),
  });
  try {
    if (!isTransport) return await callFromPage(program.origin, startedAt, vendors);
    const readme = readFileSync(join(project, "README.md"), "utf8");
    const [, transport = ""] = /"transport": "(\w+)"/.exec(readme) ?? [];
    await callOverTransport(program.origin, transport, callerHz);
    return performance.now() - startedAt;
  } catch (error) {
    throw new Error(`${error}\n${program.printed()}`, { cause: error });
  } finally {
    await program.stop("SIGINT");
  }
}

async function callFromPage(origin: string, startedAt: number, vendors: Vendors | undefined): Promise<number> {
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

try {
  rmSync(join(npmCache, "_npx"), { recursive: true, force: true });
  const chosen = process.argv.slice(2);
  for (const choice of choices) {
    if (chosen.length > 0 && !chosen.includes(choice.template)) continue;
    try {
      console.log(await check(choice));
    } catch (error) {
      console.error(`${titleOf(choice)}: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
  console.log(`${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`);
} finally {
  await browser[Symbol.asyncDispose]();
  await registry.close();
}
