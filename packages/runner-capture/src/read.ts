import { readFile } from "node:fs/promises";
import { RunnerError } from "@pipecat-ts/runner-core";
import { type CaptureEvent, type CaptureHeader, captureFormat, captureVersion, isEvent, isHeader } from "./format.ts";

/** A captured call. */
export interface CapturedCall extends Omit<CaptureHeader, "format" | "version"> {
  /** In the order in which they began. */
  readonly events: readonly CaptureEvent[];
}

const captureAgain = "Capture the call again with pipecat-runner bot.ts --capture <folder>.";

/**
 * Reads a capture. Rejects with CAPTURE_INVALID for a file that cannot be read or is not a capture, CAPTURE_VERSION for one of a newer
 * runner, and CAPTURE_INCOMPLETE for one that lacks its end, because the runner was killed or the disk was full.
 */
export async function readCapture(file: string): Promise<CapturedCall> {
  const lines = (await readText(file)).split("\n");
  const isCut = lines.pop() !== "";
  const [first, ...rest] = lines;
  if (first === undefined && !isCut) throw invalid(file, "It is empty.");
  const { format, version, ...header } = parseHeader(file, first ?? "");
  const events = rest.map((line, index) => parseEvent(file, line, index + 2));
  const last = events.at(-1);
  if (isCut || last?.type !== "state" || last.state !== "ended") {
    throw new RunnerError(
      "CAPTURE_INCOMPLETE",
      `${file} lacks its end: line ${lines.length + (isCut ? 1 : 0)} is the last one.`,
      {
        fix: `The runner was killed during the call, or could not write. ${captureAgain}`,
      },
    );
  }
  return { ...header, events: events.toSorted((a, b) => a.t - b.t) };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw invalid(file, code === "ENOENT" ? "The file does not exist." : `${message}.`, cause);
  }
}

function parseHeader(file: string, line: string): CaptureHeader {
  const header = parse(line);
  const { format, version } = Object(header) as Partial<CaptureHeader>;
  if (format !== captureFormat || typeof version !== "number") throw invalid(file, "It is not a capture.");
  if (version > captureVersion) {
    throw new RunnerError(
      "CAPTURE_VERSION",
      `${file} has version ${version} of the format. This one reads ${captureVersion}.`,
      {
        fix: "Update pipecat-runner and @pipecat-ts/runner-testing.",
      },
    );
  }
  if (!isHeader(header)) throw invalid(file, "Line 1 lacks fields.");
  return header;
}

function parseEvent(file: string, line: string, number: number): CaptureEvent {
  const event = parse(line);
  if (isEvent(event)) return event;
  throw invalid(file, `Line ${number} is not an event.`);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // The caller names the line.
  }
}

function invalid(file: string, reason: string, cause?: unknown): RunnerError {
  return new RunnerError("CAPTURE_INVALID", `${file} cannot be replayed. ${reason}`, { fix: captureAgain, cause });
}
