import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { profilePrefix } from "../call/browser/chromium.ts";

/** A process of a browser. */
export interface BrowserProcess {
  readonly pid: number;
  readonly args: string;
}

/** For tests: every process of the browsers that this process started, the oldest first. Linux only. */
export function browserProcesses(): BrowserProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), args: argumentsOf(name) }))
    .filter(({ args }) => args.includes(profilePrefix()))
    .sort((a, b) => a.pid - b.pid);
}

/** For tests: the profiles of the browsers that this process started. */
export function profiles(): string[] {
  const folder = dirname(profilePrefix());
  return readdirSync(folder).filter((name) => join(folder, name).startsWith(profilePrefix()));
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
