import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { decodePcm16 } from "@pipecat-ts/audio";
import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { LiveAudio } from "./place-call.ts";

/** A microphone that is being recorded. */
export interface RecordedMicrophone extends LiveAudio {
  /** Resolves when the program ends, with the reason. */
  readonly ended: Promise<string>;
  /** Resolves when the program has ended. */
  close(): Promise<void>;
}

const sampleRate = 48_000;
/** How long the program may take until it records, in ms: a system may ask for permission. */
const startMs = 20_000;
const maxErrorText = 500;

/** The programs that record, in the order in which they are tried. They write mono PCM with 16 bits to stdout. */
function programs(platform: NodeJS.Platform): readonly (readonly [name: string, args: readonly string[]])[] {
  const input = { linux: ["pulse", "default"], darwin: ["avfoundation", ":default"] }[platform as string];
  const sox = ["-q", "-d", "-t", "raw", "-r", String(sampleRate), "-e", "signed-integer", "-b", "16", "-c", "1", "-"];
  if (!input) return [["sox", sox]];
  const [format = "", device = ""] = input;
  const from = ["-nostdin", "-loglevel", "error", "-f", format, "-i", device];
  return [
    ["sox", sox],
    ["ffmpeg", [...from, "-ac", "1", "-ar", String(sampleRate), "-f", "s16le", "-"]],
  ];
}

/** Records the default microphone. Rejects with OPTION_INVALID when no program is installed, or when it does not record. */
export async function openLiveAudio(platform: NodeJS.Platform = process.platform): Promise<RecordedMicrophone> {
  for (const [name, args] of programs(platform)) {
    const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"] });
    if (await isInstalled(child)) return await record(name, child);
  }
  throw new RunnerError("OPTION_INVALID", "--mic: neither sox nor ffmpeg is installed.", {
    fix: "Install sox (apt install sox, or brew install sox), or use --wav or --say.",
  });
}

async function isInstalled(child: ChildProcess): Promise<boolean> {
  try {
    await once(child, "spawn");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

async function record(name: string, child: ChildProcess): Promise<RecordedMicrophone> {
  const listeners = new Set<(samples: Int16Array) => void>();
  const started = Promise.withResolvers<void>();
  const ended = new Promise<string>((resolve) => {
    child.once("close", () =>
      resolve(`--mic: ${name} failed: ${errors.trim().split("\n").at(-1) || "it recorded nothing"}.`),
    );
  });
  child.on("error", () => undefined); // It cannot be ended.
  let errors = "";
  /** Half a sample. */
  let rest: Buffer = Buffer.alloc(0);
  child.stderr?.on("data", (text) => {
    errors = (errors + text).slice(-maxErrorText);
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    started.resolve();
    const bytes = Buffer.concat([rest, chunk]);
    const whole = bytes.length - (bytes.length % 2);
    rest = bytes.subarray(whole);
    const samples = decodePcm16(bytes.subarray(0, whole));
    for (const listener of listeners) listener(samples);
  });
  async function close(): Promise<void> {
    child.kill("SIGKILL"); // A program that waits for its device may ignore SIGTERM.
    await ended;
  }

  const first = Promise.race([started.promise.then(() => true), ended.then(() => false)]);
  if (!(await withTimeout(first, startMs)) || !(await first)) {
    await close();
    throw new RunnerError("OPTION_INVALID", await ended, {
      fix: "Check that this machine has a microphone that the terminal may use, or use --wav or --say.",
    });
  }
  return {
    sampleRate,
    ended,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close,
  };
}
