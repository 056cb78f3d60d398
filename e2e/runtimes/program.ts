import { spawn } from "node:child_process";
import { once } from "node:events";
import { until } from "@pipecat-ts/runner-testing";

/** A program that runs JavaScript instead of Node. */
export interface Runtime {
  readonly name: string;
  /** The program. */
  readonly path: string;
  /** Its arguments before the file. */
  readonly args: readonly string[];
  /** What does not work, as docs/runtimes.md says. */
  readonly lacks: readonly Feature[];
}

/** What some runtimes lack. */
export type Feature = "exception scope" | "rejection scope" | "watch" | "heap limit";

/** A runner in a process of another runtime. */
export interface RuntimeProgram extends AsyncDisposable {
  readonly url: URL;
  /** Everything that it has printed. */
  printed(): string;
  /** Waits until it has printed this. */
  prints(pattern: RegExp): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves to its exit code. */
  readonly exited: Promise<number | null>;
}

/** Long enough for a busy machine. */
const timeoutMs = 30_000;

/** Starts a file with these arguments in a folder, and waits until its runner listens. */
export async function startProgram(
  { path, args }: Runtime,
  folder: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RuntimeProgram> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(ENV$|PIPECAT_|NODE_|VITEST)/.test(name));
  const child = spawn(path, [...args, ...argv], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  let ended = false;
  const exited = once(child, "exit").then(([code]) => {
    ended = true;
    return code as number | null;
  });
  const prints = async (pattern: RegExp) => {
    const found = () => pattern.test(text);
    try {
      await until(`it prints ${pattern}`, () => ended || found(), timeoutMs);
    } catch (cause) {
      throw new Error(`It did not print ${pattern} within ${timeoutMs} ms:\n${text}`, { cause });
    }
    if (!found()) throw new Error(`It ended before it printed ${pattern}:\n${text}`);
  };
  /** Like Ctrl-C, so that it ends its workers too. */
  async function stop(): Promise<void> {
    if (!ended) child.kill("SIGINT");
    const killing = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    await exited.finally(() => clearTimeout(killing));
  }
  try {
    await prints(/http:\/\/localhost:\d+/);
  } catch (error) {
    await stop();
    throw error;
  }
  const [, port] = /http:\/\/localhost:(\d+)/.exec(text) ?? [];
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    printed: () => text,
    prints,
    kill: (signal) => void child.kill(signal),
    exited,
    [Symbol.asyncDispose]: stop,
  };
}
