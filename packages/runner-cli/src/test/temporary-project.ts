import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

const cli: string = dirname(dirname(import.meta.dirname));

/** The packages that every temporary project has installed, with their real folders. */
const packages: Readonly<Record<string, string>> = {
  "pipecat-runner": cli,
  "fake-transport": join(import.meta.dirname, "fake-transport"),
};

/** The package.json of a project with the fake transport. */
export const manifestWithTransport: string = JSON.stringify({
  type: "module",
  dependencies: { "pipecat-runner": "*", "fake-transport": "*" },
});

/**
 * A folder with these files, by path, and `pipecat-runner` and `fake-transport` installed. Removed after the test; outside
 * a test, `release` receives the function that removes it.
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
