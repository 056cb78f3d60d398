import { open, rm, writeFile } from "node:fs/promises";
import { durationMs, encodeWav, silence } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import { shownPath } from "../project.ts";
import { createStereoTrack } from "../stereo-track.ts";
import type { CallObserver } from "./place-call.ts";

/** A stereo recording of one call: the caller left, the bot right. It is held in memory, 6 MB per minute, until it is written. */
export interface CallRecording {
  readonly observer: Required<Pick<CallObserver, "sent" | "heard">>;
  /** Rejects with OPTION_INVALID when the file cannot be written. */
  write(): Promise<void>;
}

const sampleRate = 24_000;

/** Rejects with OPTION_INVALID when the file could not be written: such a path must not cost a call. */
export async function createCallRecording(file: string): Promise<CallRecording> {
  await requireWritable(file);
  const track = createStereoTrack(sampleRate, performance.now());
  let heardUntilMs: number | undefined;
  return {
    observer: {
      sent: (frame, atMs) => track.push(0, frame, atMs),
      heard({ frame, atMs }) {
        // The track takes short gaps for jitter.
        const holeMs = atMs - (heardUntilMs ?? atMs);
        if (holeMs >= 1) {
          const hole = silence({ durationMs: holeMs, sampleRate: frame.sampleRate });
          track.push(1, hole, atMs - holeMs);
        }
        track.push(1, frame, atMs);
        heardUntilMs = atMs + durationMs(frame);
      },
    },
    async write() {
      try {
        await writeFile(file, encodeWav({ samples: track.takeAll(), sampleRate, channels: 2 }));
      } catch (cause) {
        throw notWritable(file, cause);
      }
    },
  };
}

/** Creates the file and removes it, unless it exists. */
async function requireWritable(file: string): Promise<void> {
  for (const flags of ["wx", "a"]) {
    try {
      await (await open(file, flags)).close();
      if (flags === "wx") await rm(file);
      return;
    } catch (cause) {
      if (flags === "a" || (cause as NodeJS.ErrnoException).code !== "EEXIST") throw notWritable(file, cause);
    }
  }
}

function notWritable(file: string, cause: unknown): RunnerError {
  return new RunnerError("OPTION_INVALID", `--record: cannot write ${shownPath(file)}: ${(cause as Error).message}.`, {
    fix: "Name a file in a folder that exists and is writable.",
    cause,
  });
}
