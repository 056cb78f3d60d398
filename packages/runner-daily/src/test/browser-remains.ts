import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { profilePrefix } from "../call/browser/profile.ts";

/** A process of a browser. */
export interface BrowserProcess {
  readonly pid: number;
  readonly args: string;
}

/** For tests: every process of the browsers that a process started, this one unless told; the oldest first. Linux only. */
export function browserProcesses(of: number = process.pid): BrowserProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), args: argumentsOf(name) }))
    .filter(({ args }) => args.includes(profilePrefix(of)))
    .sort((a, b) => a.pid - b.pid);
}

/** For tests: the profiles of the browsers that a process started. */
export function profiles(of: number = process.pid): string[] {
  const folder = dirname(profilePrefix(of));
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => path.startsWith(profilePrefix(of)));
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
