import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The smaller ones first: the shell has no window and takes half the memory. */
const names: readonly string[] = [
  "chromium-headless-shell",
  "chrome-headless-shell",
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
];
const otherPlaces: readonly string[] = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The browser to join rooms with: the one that was told, else the first that is installed. Throws DAILY_BROWSER_MISSING. */
export function findChromium(told: string | undefined, path: string): string {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), "/usr/bin"];
  const candidates = told
    ? [told]
    : [...names.flatMap((name) => folders.map((folder) => join(folder, name))), ...otherPlaces];
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  const looked = told ? `"${told}" is no program` : `none of ${names.join(", ")} is installed`;
  throw new RunnerError("DAILY_BROWSER_MISSING", `Bots join Daily rooms by a Chromium, and ${looked}.`, {
    status: 503,
    fix: "Install one (apt install chromium, brew install --cask chromium), or set PIPECAT_CHROMIUM or --chromium to its path.",
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // Not there, or not to be run: the next candidate may be.
  }
}
