import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

const cli: string = dirname(dirname(import.meta.dirname));

/** Packages that a project may have installed, by name, and the folders they are really in. */
const packages: Readonly<Record<string, string>> = {
  "pipecat-runner": cli,
  "toy-transport": join(import.meta.dirname, "toy-transport"),
};

/** A package.json of a bot that has the toy transport. */
export const toyManifest: string = JSON.stringify({
  type: "module",
  dependencies: { "pipecat-runner": "*", "toy-transport": "*" },
});

/**
 * A folder with these files, path to content, in which `pipecat-runner` and `toy-transport` are installed. Removed after
 * the test; outside of one, `release` gets what removes it.
 */
export function createProject(files: Readonly<Record<string, string>>, release?: (remove: () => void) => void): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "pipecat-bot-")));
  (release ?? onTestFinished)(() => rmSync(folder, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  for (const [name, target] of Object.entries(packages)) symlinkSync(target, join(folder, "node_modules", name));
  return folder;
}
