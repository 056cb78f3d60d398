import { type FileHandle, open } from "node:fs/promises";
import { type AudioFrame, encodePcm16, wavHeader } from "@pipecat-ts/audio";
import { RunnerError, type SessionArguments, type Transport, withTimeout } from "@pipecat-ts/runner-core";
import { createStereoTrack } from "./stereo-track.ts";

/** Where and how `recordCall` records. */
export interface RecordingOptions {
  /** The file. Its folder must exist, and the file must not. */
  readonly path: string;
  /** Sample rate of the file in Hz, from 1,000 to 192,000. Default 16,000. */
  readonly sampleRate?: number | undefined;
}

/** A recording in progress. */
export interface Recording {
  /** Ends the recording before the call ends. Resolves and rejects like `done`. */
  stop(): Promise<RecordedFile>;
  /**
   * Resolves when the file is complete. Rejects with the error of the file system, for example of a full disk; the call
   * continues, the log has the error, and the file holds what was recorded until then. An unhandled rejection is harmless.
   */
  readonly done: Promise<RecordedFile>;
}

export interface RecordedFile {
  readonly path: string;
  readonly durationMs: number;
  /** Milliseconds that are missing because the disk was more than 10 s behind. */
  readonly droppedMs: number;
}

/** The parts of an open file that a recording uses. */
export type RecordingFile = Pick<FileHandle, "close"> & {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
};

/** How often audio is written, in ms. */
const writeMs = 1_000;
/** The longest piece of audio that waits for the disk, in ms. */
const maxUnwrittenMs = 10_000;
/** A WAV file holds 4 GiB: 18 hours at 16,000 Hz. */
const maxFileBytes = 0xffff_ffff;
const headerBytes = 44;

/**
 * Records a call to a stereo WAV file: the caller left, the bot right, as 16-bit PCM. Records what the bot sends: after an
 * interruption, that is up to the transport's send-ahead (160 ms on phones) more than the caller heard.
 *
 * Holds about a second of audio in memory. Once per second it writes audio and then the header, so if the process is killed, the file
 * is valid and lacks at most the last two seconds. When the session has ended, the file is complete.
 *
 * Rejects with OPTION_INVALID when the file cannot be created.
 */
export function recordCall(
  args: Pick<SessionArguments, "session">,
  transport: Pick<Transport, "listen" | "listenOutput">,
  options: RecordingOptions,
): Promise<Recording> {
  return recordTo((path) => open(path, "wx"), args, transport, options);
}

/** `recordCall` to the file that `openNew` creates. */
export async function recordTo(
  openNew: (path: string) => Promise<RecordingFile>,
  { session }: Pick<SessionArguments, "session">,
  transport: Pick<Transport, "listen" | "listenOutput">,
  { path, sampleRate = 16_000 }: RecordingOptions,
): Promise<Recording> {
  if (!Number.isInteger(sampleRate) || sampleRate < 1_000 || sampleRate > 192_000) {
    throw new RunnerError("OPTION_INVALID", `sampleRate of a recording cannot be ${sampleRate}.`, {
      fix: "Use an integer from 1,000 to 192,000 Hz.",
    });
  }
  if (typeof path !== "string" || typeof transport.listenOutput !== "function") {
    throw new RunnerError("OPTION_INVALID", "A recording needs the bot's arguments, its transport and a path.", {
      fix: 'Call recordCall(args, transport, { path: "call.wav" }).',
    });
  }
  const format = { sampleRate, channels: 2 };
  const file = await create(openNew, path, wavHeader(format, 0));
  const readers = [transport.listen().getReader(), transport.listenOutput().getReader()] as const;
  const { promise: done, resolve, reject } = Promise.withResolvers<RecordedFile>();
  done.catch(() => undefined); // An unhandled rejection is harmless: the log has the error.
  const track = createStereoTrack(sampleRate, performance.now());
  let dataBytes = 0;
  let droppedMs = 0;
  let lastWriteMs = performance.now();
  let writing: Promise<void> | undefined;
  let failure: unknown;
  let ending: Promise<void> | undefined;

  async function read(channel: 0 | 1, reader: ReadableStreamDefaultReader<AudioFrame>): Promise<void> {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      track.push(channel, next.value, performance.now());
  }

  async function append(samples: Int16Array): Promise<void> {
    if (samples.length === 0) return;
    if (headerBytes + dataBytes + samples.length * 2 > maxFileBytes) throw new Error("A WAV file cannot exceed 4 GiB.");
    await writeAt(file, encodePcm16(samples), headerBytes + dataBytes);
    dataBytes += samples.length * 2;
    await writeAt(file, wavHeader(format, dataBytes), 0);
  }

  function writeNext(): void {
    const nowMs = performance.now();
    if (writing) {
      if (nowMs - lastWriteMs < maxUnwrittenMs) return;
      if (droppedMs === 0) session.logger.warn({ path }, "recorded audio dropped: the disk is too slow");
      droppedMs += (track.take(nowMs).length / 2 / sampleRate) * 1000;
      return;
    }
    lastWriteMs = nowMs;
    writing = append(track.take(nowMs)).then(
      () => {
        writing = undefined;
      },
      (error: unknown) => {
        failure = error;
        void end();
      },
    );
  }

  function end(): Promise<void> {
    ending ??= finish();
    return ending;
  }

  async function finish(): Promise<void> {
    clearInterval(timer);
    try {
      await Promise.all(readers.map((reader) => reader.cancel()));
      await writing;
      if (failure !== undefined) throw failure;
      await append(track.takeAll());
      await file.close();
      resolve({ path, durationMs: (dataBytes / 4 / sampleRate) * 1000, droppedMs });
    } catch (err) {
      session.logger.error({ err, path }, "recording failed");
      await file.close().catch(() => undefined); // The error that came first is the one to report.
      reject(err);
    }
  }

  const reading = Promise.all([read(0, readers[0]), read(1, readers[1])]);
  const timer = setInterval(writeNext, writeMs);
  session.onEnd(async (_, deadline) => {
    // The call is over: its streams end when they were read.
    await withTimeout(reading, deadline);
    await end();
  });
  return {
    done,
    async stop() {
      await end();
      return await done;
    },
  };
}

async function create(
  openNew: (path: string) => Promise<RecordingFile>,
  path: string,
  header: Uint8Array,
): Promise<RecordingFile> {
  let file: RecordingFile | undefined;
  try {
    file = await openNew(path);
    await writeAt(file, header, 0);
    return file;
  } catch (cause) {
    await file?.close();
    const { code, message } = cause as NodeJS.ErrnoException;
    const fix =
      code === "EEXIST"
        ? "Use another name for each call, for example args.sessionId."
        : "Create its folder, and allow this process to write to it.";
    throw new RunnerError("OPTION_INVALID", `The recording "${path}" cannot be created: ${message}.`, { fix, cause });
  }
}

/** Writes all bytes: a single write may be partial. */
async function writeAt(file: RecordingFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
