import { createWriteStream, mkdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createRateLimit, type Logger, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { WireEvent, WireObserver, WireSession } from "@pipecat-ts/runner-host";
import { type CaptureHeader, captureFormat, captureVersion, maxFileBytes } from "./format.ts";
import { createRedactor } from "./redact.ts";

/** How calls are captured. */
export interface CaptureOptions {
  /** The folder of the files. It is created if it does not exist. */
  readonly folder: string;
  /** Whether files contain audio and pictures. Default false. */
  readonly media?: boolean;
  /** How many files to keep: the oldest are deleted. 0 keeps all. Default 100. */
  readonly maxFiles?: number;
  /** Secrets of the runner, such as its API key, which are replaced wherever they occur. */
  readonly secrets?: readonly string[];
  /** Has a warning when a call cannot be captured. */
  readonly logger: Logger;
}

/** Text that waits for the disk, for each call, beside that of its start. */
const maxQueuedBytes = 1024 * 1024;
/** Lines of calls that wait for their caller, of all calls together. */
const maxPendingBytes = 16 * 1024 * 1024;
/** The shortest time between two warnings, in ms: a full disk fails for each call. */
const warningMs = 60_000;
const closeMs = 2_000;
/** The files of this package: other files in the folder are left alone. */
const fileName = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z_.+\.jsonl$/;

/** One call. */
interface Trace {
  readonly redactor: ReturnType<typeof createRedactor>;
  readonly startedAt: Date;
  readonly startedAtMs: number;
  readonly sockets: Set<number>;
  /** The lines of a call whose bot does not run yet. */
  pending: string[];
  pendingBytes: number;
  file: CaptureFile | undefined;
}

/**
 * Writes one file per call, with mode 0600. A file begins when the bot of its call starts: callers that never connect leave none.
 *
 * Writing never waits for the disk, and never ends a call: what cannot be written ends the capture of that call, with a warning at
 * most once a minute. Throws OPTION_INVALID when the folder cannot be created.
 *
 * Pass it to `createRunner` as `wire`, once. `runner.close()` waits up to 2 s for the disk.
 */
export function createCapture(options: CaptureOptions): WireObserver {
  const { folder, media = false, maxFiles = 100, secrets = [], logger } = options;
  const traces = new Map<string, Trace>();
  const writing = new Set<Promise<void>>();
  const warnings = createRateLimit({ perSecond: 1_000 / warningMs, burst: 1 });
  let pendingBytes = 0;
  createFolder(folder);

  function warn(code: string): void {
    if (warnings.take()) logger.warn({ code, folder }, "call not captured; it continues");
  }

  function discard(id: string): void {
    pendingBytes -= traces.get(id)?.pendingBytes ?? 0;
    traces.delete(id);
  }

  /** The numbers and secrets of the call are too many to be replaced. */
  function abandon(id: string, { file }: Trace): void {
    if (file) file.cut("TOO_MANY_NUMBERS");
    else warn("TOO_MANY_NUMBERS");
    discard(id);
  }

  function append(id: string, trace: Trace, line: string): void {
    if (trace.file) {
      trace.file.write(line);
      return;
    }
    trace.pending.push(line);
    trace.pendingBytes += line.length;
    pendingBytes += line.length;
    for (const [oldest, { file }] of traces) {
      if (pendingBytes <= maxPendingBytes) return;
      if (file) continue;
      warn("PENDING_TOO_LARGE");
      discard(oldest);
      if (oldest === id) return;
    }
  }

  function openFile({ id, owner, transport }: WireSession, trace: Trace): void {
    const startedAt = trace.startedAt.toISOString();
    const name = `${startedAt.replaceAll(":", "-")}_${encodeURIComponent(owner)}_${encodeURIComponent(id)}.jsonl`;
    const header: CaptureHeader = {
      format: captureFormat,
      version: captureVersion,
      session: id,
      transport,
      plugin: owner,
      startedAt,
      media,
    };
    const lines = [`${JSON.stringify(header)}\n`, ...trace.pending].join("");
    const file = createCaptureFile(join(folder, name), lines, warn);
    trace.file = file;
    const done = file.closed.then(async () => {
      if (maxFiles > 0)
        await trim(folder, maxFiles).catch((err: unknown) => logger.debug({ err }, "captures not trimmed"));
      writing.delete(done);
    });
    writing.add(done);
    pendingBytes -= trace.pendingBytes;
    Object.assign(trace, { pending: [], pendingBytes: 0 });
  }

  function observe(session: WireSession, event: WireEvent, atMs: number): void {
    const { id } = session;
    if (event.type === "state" && event.state === "pending") {
      traces.set(id, {
        redactor: createRedactor(secrets, id),
        startedAt: new Date(),
        startedAtMs: atMs,
        sockets: new Set(),
        pending: [],
        pendingBytes: 0,
        file: undefined,
      });
    }
    const trace = traces.get(id);
    if (!trace) return;
    if (event.type === "open") trace.sockets.add(event.socket);
    // On a socket of the host, the same is in a message.
    if (trace.sockets.size > 0 && (event.type === "app" || event.type === "key")) return;
    const began = event.type === "http" ? atMs - event.durationMs : atMs;
    const line = { t: round(Math.max(0, began - trace.startedAtMs)), ...written(event, trace.redactor, media) };
    if (trace.redactor.isFull) {
      abandon(id, trace);
      return;
    }
    if (event.type === "state" && event.state === "active") openFile(session, trace);
    append(id, trace, `${JSON.stringify(line)}\n`);
    if (event.type !== "state" || event.state !== "ended") return;
    trace.file?.end();
    discard(id);
  }

  return {
    observe,
    async close() {
      await withTimeout(Promise.all(writing), closeMs);
    },
  };
}

/** An event as it is written: without secrets, and without media unless `keepsMedia`. */
function written(event: WireEvent, redactor: Trace["redactor"], keepsMedia: boolean): object {
  switch (event.type) {
    case "http": {
      const { body, reply } = event;
      return {
        ...event,
        url: redactor.url(event.url),
        ...(body !== undefined && { body: redactor.text(body) }),
        ...(reply !== undefined && { reply: redactor.text(reply) }),
        durationMs: round(event.durationMs),
      };
    }
    case "open": {
      const { secrets, url, ...rest } = event;
      return { ...rest, url: redactor.url(url, secrets) };
    }
    case "message": {
      const { data, isMedia, ...rest } = event;
      if (isMedia && !keepsMedia) return { ...rest, mediaBytes: data.length };
      if (typeof data === "string") return { ...rest, text: isMedia ? data : redactor.text(data) };
      const bytes = isMedia ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : redactor.bytes(data);
      return { ...rest, base64: bytes.toString("base64") };
    }
    case "close":
      return { ...event, reason: redactor.text(event.reason) };
    case "state":
      return {
        ...event,
        ...("callData" in event && { callData: redacted(event.callData, redactor) }),
        ...("body" in event && { body: redacted(event.body, redactor) }),
      };
    case "app":
      return { ...event, message: redacted(event.message, redactor) };
    default:
      return event;
  }
}

function redacted(value: unknown, redactor: Trace["redactor"]): unknown {
  return JSON.parse(redactor.text(JSON.stringify(value)));
}

interface CaptureFile {
  /** Never throws. Does nothing after a failure. */
  write(line: string): void;
  end(): void;
  /** Leaves the file without its last line. */
  cut(code: string): void;
  /** Resolves, and never rejects, when the file is closed. */
  readonly closed: Promise<void>;
}

/** A file that fails once at most: on an error, or when it is too large or the disk too slow. It then lacks its last line. */
function createCaptureFile(path: string, begin: string, onFailed: (code: string) => void): CaptureFile {
  const stream = createWriteStream(path, { flags: "wx", mode: 0o600 });
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  const maxWaiting = maxQueuedBytes + Buffer.byteLength(begin);
  let bytes = 0;
  let failed = false;

  function fail(code: string): void {
    if (failed) return;
    failed = true;
    onFailed(code);
    stream.destroy();
  }

  function write(text: string): void {
    if (failed) return;
    bytes += Buffer.byteLength(text);
    if (bytes > maxFileBytes) fail("FILE_TOO_LARGE");
    else if (stream.writableLength > maxWaiting) fail("DISK_TOO_SLOW");
    else stream.write(text);
  }

  stream.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.name));
  write(begin);
  return {
    closed,
    write,
    cut(code) {
      if (failed) return;
      failed = true;
      onFailed(code);
      stream.end();
    },
    end() {
      if (!failed) stream.end();
    },
  };
}

function createFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const { message } = cause as Error;
    throw new RunnerError("OPTION_INVALID", `The folder for captures cannot be created: ${message}.`, {
      fix: "Name a folder that this process may write to.",
      cause,
    });
  }
}

/** Deletes the files that nobody has written to for the longest time: those of live calls, also of other processes, are recent. */
async function trim(folder: string, maxFiles: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => fileName.test(name));
  if (names.length <= maxFiles) return;
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      // Another process may delete it at the same time.
      const found = await stat(path).catch(() => undefined);
      return { path, writtenMs: found?.mtimeMs ?? 0 };
    }),
  );
  const byAge = files.toSorted((a, b) => b.writtenMs - a.writtenMs);
  await Promise.all(byAge.slice(maxFiles).map(({ path }) => rm(path, { force: true })));
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
