import { Console } from "node:console";
import { withTimeout } from "@pipecat-ts/runner-core";

/** How long the program waits at its end until the readers of stdout and stderr have taken everything, in ms. */
const flushMs = 500;
/** Characters that may wait for a reader before further output is dropped. */
const maxQueued = 1024 * 1024;

const streams = () => [process.stdout, process.stderr];

/**
 * Keeps failures of stdout and stderr away from the calls: an error, such as `EPIPE` after `| head`, is not thrown as
 * an uncaught exception, and a stopped terminal (Ctrl-S, or a connection that hangs) does not block the event loop.
 */
export function prepareStandardStreams(): void {
  for (const stream of streams()) {
    stream.on("error", () => undefined);
    // Node has no public function for this. Pipes are non-blocking already, and files cannot be.
    if (stream.isTTY) (stream as Partial<Terminal>)._handle?.setBlocking?.(false);
  }
}

/**
 * Sends what a bot prints with `console.log` to stderr, unless stdout is a terminal: stdout then has only log lines, for programs
 * such as `jq` that read JSON.
 */
export function sendConsoleToStderr(): void {
  if (!process.stdout.isTTY) Object.assign(console, new Console(process.stderr));
}

interface Terminal {
  readonly _handle: { setBlocking?(blocks: boolean): unknown };
}

/**
 * Bounds what a bot prints with `console.log`: while more than 1 Mi characters wait for the reader, output is dropped,
 * and `onDropped` is called for each write. The logger has the same bound.
 */
export function boundOutput(stream: NodeJS.WriteStream, onDropped: () => void): void {
  const write = stream.write.bind(stream) as (...args: readonly unknown[]) => boolean;
  stream.write = (...args: readonly unknown[]) => {
    if (stream.writableLength <= maxQueued) return write(...args);
    onDropped();
    const callback = args.at(-1);
    if (typeof callback === "function") process.nextTick(callback);
    return false;
  };
}

/** Bounds stdout and stderr. */
export function boundStandardStreams(onDropped: () => void): void {
  for (const stream of streams()) boundOutput(stream, onDropped);
}

/** Resolves when everything printed was written, or 500 ms later. */
export async function flushStandardStreams(): Promise<void> {
  const written = streams().map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve())));
  await withTimeout(Promise.all(written), flushMs);
}
