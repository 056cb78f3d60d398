import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { RunnerError } from "@pipecat-ts/runner-core";

/** Smaller programs first: the headless shell has no window and needs half the memory. */
const programs: readonly string[] = [
  "chromium-headless-shell",
  "chrome-headless-shell",
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
];
const macPrograms: readonly string[] = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The path of the configured browser, else of the first one installed in `path` (as in `PATH`). Throws DAILY_BROWSER_MISSING. */
export function findChromium(configured: string | undefined, path: string): string {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), "/usr/bin"];
  const candidates = configured
    ? [configured]
    : [...programs.flatMap((name) => folders.map((folder) => join(folder, name))), ...macPrograms];
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  const fault = configured ? `"${configured}" is not a program` : `none of ${programs.join(", ")} is installed`;
  throw new RunnerError("DAILY_BROWSER_MISSING", `Bots require Chromium to join Daily rooms, and ${fault}.`, {
    status: 503,
    fix: "Install it (apt install chromium, brew install --cask chromium), or set PIPECAT_CHROMIUM or --chromium to its path.",
  });
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // Missing, or not executable. The next candidate may be.
  }
}

/** A browser process with a profile of its own. */
export interface Chromium {
  /** Resolves, and never rejects, with the exit status and the last line of stderr when the browser has ended. */
  readonly ended: Promise<string>;
  /** Opens a page. */
  open(url: string): void;
  /** Ends the browser and removes its profile. Never rejects; later calls have no effect. */
  kill(): Promise<void>;
}

const stderrTailLength = 2_000;

const flags: readonly string[] = [
  "--headless",
  // The browser ends when this process ends, because the pipe breaks. It also keeps the URL of the page out of the
  // arguments, which every user of the machine can read.
  "--remote-debugging-pipe",
  "--no-startup-window",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-gpu",
  // Containers have 64 MB of shared memory by default. A page that needs more crashes.
  "--disable-dev-shm-usage",
  "--disable-sync",
  "--disable-extensions",
  "--disable-breakpad",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  // The page is never visible, and must not be throttled for that.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--autoplay-policy=no-user-gesture-required",
  // mDNS names delay calls and hide an address that is not secret. A spare renderer is useless: there is only one page.
  "--disable-features=WebRtcHideLocalIpsWithMdns,SpareRendererForSitePerProcess",
  "--mute-audio",
  // daily-js reports its own crashes, with the URL of the room, to a third party.
  "--host-resolver-rules=MAP *.sentry.io ~NOTFOUND",
];

/**
 * The page runs code from Daily, so that only root, which cannot use the sandbox, runs without it. `userId` is `undefined`
 * on Windows.
 */
export function sandboxFlags(userId: number | undefined): readonly string[] {
  return userId === 0 ? ["--no-sandbox"] : [];
}

/** Starts a browser. Rejects with DAILY_BROWSER_MISSING, and leaves no profile behind, when the program cannot run. */
export async function launchChromium(program: string): Promise<Chromium> {
  const profile = await createProfile();
  let child: ChildProcess;
  try {
    child = await start(program, [...flags, ...sandboxFlags(process.getuid?.()), `--user-data-dir=${profile}`]);
  } catch (cause) {
    await removeProfile(profile);
    throw new RunnerError("DAILY_BROWSER_MISSING", `${program} could not be started: ${(cause as Error).message}.`, {
      status: 503,
      cause,
      fix: "Set PIPECAT_CHROMIUM or --chromium to a Chromium that runs on this machine.",
    });
  }
  const ended = watch(child);
  const commands = child.stdio[3] as Writable;
  // The pipes break when the browser ends, which `ended` reports.
  for (const pipe of child.stdio) pipe?.on("error", () => undefined);
  (child.stdio[4] as Readable).resume();
  let killing: Promise<void> | undefined;

  async function end(): Promise<void> {
    killGroup(child);
    await ended;
    for (const pipe of child.stdio) pipe?.destroy();
    await removeProfile(profile);
  }

  function kill(): Promise<void> {
    killing ??= end();
    return killing;
  }

  void ended.then(kill);
  await removeOrphans();
  return {
    ended,
    kill,
    open(url) {
      // https://chromedevtools.github.io/devtools-protocol/tot/Target/#method-createTarget
      commands.write(`${JSON.stringify({ id: 1, method: "Target.createTarget", params: { url } })}\0`);
    },
  };
}

/** Rejects with the error of the system. A child that failed to start has neither pipes nor a process. */
function start(program: string, args: readonly string[]): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: browserEnvironment(process.env),
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      // A process group of its own: Ctrl-C in a terminal lets the bot leave first, and one signal ends all its processes.
      detached: true,
    });
    child.once("spawn", () => resolve(child));
    // Stays registered: failed signals are reported here too.
    child.on("error", reject);
  });
}

/** The variables that a browser needs: program paths, folders, languages, fonts, proxies. */
const browserVariables =
  /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|XDG_\w+|FONTCONFIG_\w+|(http|https|ftp|all|no)_proxy)$/i;

/** The other variables of this process contain secrets, and the browser runs code from Daily. */
function browserEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => browserVariables.test(name)));
}

function watch(child: ChildProcess): Promise<string> {
  let stderrTail = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderrTail = (stderrTail + text).slice(-stderrTailLength);
  });
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const lastLine = stderrTail.trim().split("\n").at(-1) ?? "";
      resolve(`it ended with ${signal ?? code}${lastLine === "" ? "" : `: ${lastLine}`}`);
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All processes of the group have ended already, or belong to another user.
  }
}

/** The path prefix of all profiles that a process creates. */
export function profilePrefix(pid: number): string {
  return join(tmpdir(), `${namePrefix()}${pid}-`);
}

/** Contains the host name: containers that share a temporary folder have process ids of their own. */
function namePrefix(): string {
  return `pipecat-daily-${hostname()}-`;
}

async function createProfile(): Promise<string> {
  return await mkdtemp(profilePrefix(process.pid));
}

/**
 * Removes the profile of a browser that has ended, and the folder with its lock, which a killed browser leaves behind. Never
 * rejects: what cannot be removed is left to the system, as is the empty folder of a browser that was killed between creating
 * it and linking to it.
 */
async function removeProfile(profile: string): Promise<void> {
  const lock = await readlink(join(profile, "SingletonSocket")).then(dirname, () => undefined);
  // The browser wrote this link, so that only a folder with the expected name is removed.
  if (lock !== undefined && dirname(lock) === tmpdir() && /^\.?(org\.chromium|com\.google)\./.test(basename(lock))) {
    await remove(lock);
  }
  await remove(profile);
}

/** Removes the profiles of processes that were killed, and whose browsers ended with them. Never rejects. */
async function removeOrphans(): Promise<void> {
  const prefix = namePrefix();
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)-\w{6}$/.exec(name.slice(prefix.length))) || [];
    if (pid !== undefined && !isAlive(Number(pid))) await removeProfile(join(tmpdir(), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // A process of another user is alive.
  }
}

/** Retries, because child processes of the browser may still write. */
async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }).catch(() => undefined);
}
