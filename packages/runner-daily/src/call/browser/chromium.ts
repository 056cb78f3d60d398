import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { RunnerError } from "@pipecat-ts/runner-core";
import { browserEnvironment } from "./browser-environment.ts";
import { createProfile, removeOrphans, removeProfile } from "./profile.ts";

/** A browser of its own, with a profile of its own. */
export interface Chromium {
  /** Resolves, never rejects, when it has ended, whoever ended it: with what it complained of last. */
  readonly ended: Promise<string>;
  /** Opens a page. */
  open(url: string): void;
  /** Ends it and removes its profile. Never rejects; twice is once. */
  kill(): Promise<void>;
}

/** How much is kept of what it complains of. */
const complaintLength = 2_000;

const flags: readonly string[] = [
  "--headless",
  // Ends the browser when this process ends, however: the pipe breaks. And keeps the page's address out of the arguments,
  // which everybody on the machine can read.
  "--remote-debugging-pipe",
  "--no-startup-window",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-gpu",
  // Containers give 64 MB of shared memory unless told otherwise, and a page that needs more crashes.
  "--disable-dev-shm-usage",
  "--disable-sync",
  "--disable-extensions",
  "--disable-breakpad",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  // The page is never looked at, and must not be slowed down for it.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--autoplay-policy=no-user-gesture-required",
  // A server's address is no secret, and names that only the local network resolves delay a call; there is one page, and
  // nobody needs a second process for pages in reserve.
  "--disable-features=WebRtcHideLocalIpsWithMdns,SpareRendererForSitePerProcess",
  "--mute-audio",
  // daily-js reports its own crashes to a third party; with a bot's room in the report.
  "--host-resolver-rules=MAP *.sentry.io ~NOTFOUND",
];

/**
 * The page runs code that is fetched from Daily: only root, for whom there is none, goes without the sandbox. `user` is
 * this process's user id, which Windows does not have.
 */
export function sandboxFlags(user: number | undefined): readonly string[] {
  return user === 0 ? ["--no-sandbox"] : [];
}

/** Starts a browser. Rejects with DAILY_BROWSER_MISSING when the program cannot be run; then no profile is left. */
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
      fix: "Set PIPECAT_CHROMIUM or --chromium to a Chromium that runs here.",
    });
  }
  const ended = watch(child);
  const commands = child.stdio[3] as Writable;
  // Breaks when the browser ends, which `ended` tells of.
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

/** Rejects with what the system says. A child that could not be made has neither pipes nor a process. */
function start(program: string, args: readonly string[]): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: browserEnvironment(process.env),
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      // A group of its own, so that Ctrl-C in a terminal lets the bot leave first, and all of it can be ended at once.
      detached: true,
    });
    child.once("spawn", () => resolve(child));
    // Stays: a signal that cannot be sent is told here, too.
    child.on("error", reject);
  });
}

function watch(child: ChildProcess): Promise<string> {
  let complaints = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-complaintLength);
  });
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const last = complaints.trim().split("\n").at(-1) ?? "";
      resolve(`it ended with ${signal ?? code}${last === "" ? "" : `: ${last}`}`);
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left, or nobody who can be ended from here.
  }
}
