import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** Without a display, as root too, asking no other host for anything; with `microphone`, a WAV file, in place of one. */
const flagsFor = (microphone: string): string[] => [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  `--use-file-for-fake-audio-capture=${microphone}`,
];

/** Starts a browser whose microphone hears `microphone`, a WAV file, over and over. Its profile goes when it is closed. */
export function launchBrowser(microphone: string): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: flagsFor(microphone) });
}

/** The Chromium to test with. Throws when there is none: a journey that is skipped tests nothing. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const { PIPECAT_CHROMIUM: told, PATH = "" } = env;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const folders = ["/usr/bin", ...PATH.split(delimiter)];
  const candidates = told ? [told] : names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    `${told ? `PIPECAT_CHROMIUM names ${told}, which is no program.` : "No Chromium was found."} Install one: apt-get install chromium. Or name one: PIPECAT_CHROMIUM=/path/to/chromium.`,
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // Not there, or not to be run: the next candidate may be.
  }
}
