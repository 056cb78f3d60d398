import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { profilePrefix } from "../chromium.ts";

/** A process of a browser. */
export interface BrowserProcess {
  readonly pid: number;
  readonly args: string;
}

/** The processes of all browsers that a process started, oldest first. Linux only. */
export function browserProcesses(parentPid: number = process.pid): BrowserProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), args: argumentsOf(name) }))
    .filter(({ args }) => args.includes(profilePrefix(parentPid)))
    .sort((a, b) => a.pid - b.pid);
}

/** The profiles of all browsers that a process started. */
export function browserProfiles(parentPid: number = process.pid): string[] {
  const folder = dirname(profilePrefix(parentPid));
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => path.startsWith(profilePrefix(parentPid)));
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}
