import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type AudioFrame, join, mixToMono, parseWav, resample, silence, syllables } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import { shownPath } from "../project.ts";

const run = promisify(execFile);
const maxBytes = 512 * 1024 * 1024;
/** The sample rates that can be resampled, in Hz. */
const lowestRate = 1_000;
const highestRate = 192_000;

/** What the caller says: a WAV file, a spoken text, or by default two seconds of syllables, at three pitches. Mono. */
export async function loadCallerAudio({
  wav,
  say,
}: {
  readonly wav?: string | undefined;
  readonly say?: string | undefined;
}): Promise<AudioFrame> {
  if (wav !== undefined && say !== undefined) {
    throw new RunnerError("OPTION_INVALID", "--wav and --say cannot be combined.", { fix: "Remove one of them." });
  }
  if (wav !== undefined) return await readWav(wav);
  if (say !== undefined) return parse(await speak(say), "The output of espeak-ng");
  const syllable = (hz: number) => syllables(hz, { durationMs: 600, sampleRate: 48_000, perSecond: 1 / 0.6 });
  const pause = silence({ durationMs: 100, sampleRate: 48_000 });
  return join([syllable(180), pause, syllable(240), pause, syllable(200)]);
}

/** What the caller says at any sample rate: resampled once for all calls with that rate. */
export function resampledOnce(audio: AudioFrame): (sampleRate: number) => AudioFrame {
  const byRate = new Map<number, AudioFrame>();
  return (sampleRate) => {
    const resampled = byRate.get(sampleRate) ?? resample(audio, sampleRate);
    byRate.set(sampleRate, resampled);
    return resampled;
  };
}

async function readWav(file: string): Promise<AudioFrame> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new RunnerError("OPTION_INVALID", `--wav: cannot read ${shownPath(file)}: ${(cause as Error).message}.`, {
      fix: "Name a WAV file.",
      cause,
    });
  }
  return parse(bytes, `--wav: ${shownPath(file)}`);
}

function parse(bytes: Uint8Array, name: string): AudioFrame {
  try {
    const audio = mixToMono(parseWav(bytes));
    if (audio.samples.length === 0) throw new Error("The WAV file has no samples.");
    if (audio.sampleRate < lowestRate || audio.sampleRate > highestRate)
      throw new Error(`Its sample rate is ${audio.sampleRate} Hz.`);
    return audio;
  } catch (cause) {
    const reason = bytes.length === 0 ? "It has 0 bytes." : (cause as Error).message;
    throw new RunnerError("OPTION_INVALID", `${name} cannot be used. ${reason}`, {
      fix: "Use a WAV file with PCM of 1,000 to 192,000 Hz, for example: sox in.mp3 out.wav",
      cause,
    });
  }
}

async function speak(text: string): Promise<Uint8Array> {
  try {
    const { stdout } = await run("espeak-ng", ["--stdout", "--", text], { encoding: "buffer", maxBuffer: maxBytes });
    return stdout;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const [reason, fix] =
      code === "ENOENT"
        ? ["espeak-ng is not installed", "Install it, on Debian and Ubuntu with apt install espeak-ng, or use --wav."]
        : [`espeak-ng failed: ${message.trim()}`, "Check the text, or use --wav."];
    throw new RunnerError("OPTION_INVALID", `--say: ${reason}.`, { fix, cause });
  }
}
