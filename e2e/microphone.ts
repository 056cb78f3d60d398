import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav } from "@pipecat-ts/audio";
import { syllables } from "@pipecat-ts/runner-testing";

/** What a browser's microphone hears: a file for `launchBrowser`. */
export interface Voice extends AsyncDisposable {
  readonly file: string;
}

/** Writes a voice of pitch `hz` to a temporary file: 2.5 syllables a second, which the browser takes for speech. */
export async function createVoice(hz: number): Promise<Voice> {
  const folder = await mkdtemp(join(tmpdir(), "pipecat-voice-"));
  const file = join(folder, "voice.wav");
  await writeFile(file, encodeWav(syllables(hz, { durationMs: 10_000, sampleRate: 48_000 })));
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
