import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AudioFrame, encodeWav } from "@pipecat-ts/audio";
import { syllables } from "@pipecat-ts/runner-testing";
import { type Browser, chromium } from "playwright-core";
import { findChromium } from "../../scripts/test-tools.ts";

/** Works headless and as root, and contacts no other host. `microphone` is a WAV file. */
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

/** A browser with a fake microphone. Dispose it to remove the microphone's file. */
export interface RunningBrowser extends AsyncDisposable {
  readonly browser: Browser;
}

/**
 * Starts a browser whose microphone repeats `voice`: audio, or the pitch of a voice with 2.5 syllables per second, which the
 * browser takes for speech. Fails without Chromium, because a skipped test tests nothing.
 */
export async function startBrowser(voice: number | AudioFrame): Promise<RunningBrowser> {
  const executablePath = requireChromium(process.env);
  const spoken = typeof voice === "number" ? syllables(voice, { durationMs: 10_000, sampleRate: 48_000 }) : voice;
  const folder = await mkdtemp(join(tmpdir(), "pipecat-voice-"));
  const file = join(folder, "voice.wav");
  await writeFile(file, encodeWav(spoken));
  const browser = await chromium.launch({ executablePath, args: flagsFor(file) });
  return {
    browser,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** The path of Chromium. Throws an error that says how to install it. */
export function requireChromium(env: Readonly<Record<string, string | undefined>>): string {
  const found = findChromium(env);
  if (found !== undefined) return found;
  const { PIPECAT_CHROMIUM: named } = env;
  throw new Error(
    `${named ? `PIPECAT_CHROMIUM: "${named}" is not an executable file.` : "Chromium is not installed."} Run apt-get install chromium, or set PIPECAT_CHROMIUM=/path/to/chromium.`,
  );
}
