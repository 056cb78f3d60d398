import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished, vi } from "vitest";
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

/**
 * A folder for the profiles of this test alone, which is removed after the test: browsers of other test files remove orphaned profiles
 * from the shared folder.
 */
export function useOwnTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-empty-"));
  vi.stubEnv("TMPDIR", folder);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
  return folder;
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}
