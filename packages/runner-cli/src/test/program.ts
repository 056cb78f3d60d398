import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** The program `pipecat-runner`. */
export const bin: string = join(import.meta.dirname, "../main.ts");

/** A Node process and its output so far. */
export interface Program {
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves with the first match in the output; rejects when the process ends without one. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>;
  signal(name: NodeJS.Signals): void;
  /** Types on its terminal. */
  type(text: string): void;
  /** Stops reading stdout, or continues. */
  pauseStdout(): void;
  resumeStdout(): void;
  /** Closes the read ends of these pipes, as `| head` does at its end. */
  closePipes(...names: readonly ("stdout" | "stderr")[]): void;
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>;
}

/**
 * Starts Node in a folder, without the environment variables of the developer that would change its output. `stdout`
 * may be a file descriptor, which is not read.
 */
export function startProgram(
  folder: string,
  argv: readonly string[],
  env: Record<string, string> = {},
  stdout: "pipe" | number = "pipe",
): Program {
  return follow(
    spawn(process.execPath, argv, { cwd: folder, env: ownEnvironment(env), stdio: ["ignore", stdout, "pipe"] }),
  );
}

/** Runs a shell command on a terminal of its own, without colors. Its output is in `stdout`. */
export function startOnTerminal(folder: string, command: string): Program {
  const env = ownEnvironment({ NO_COLOR: "1" });
  return follow(spawn("script", ["-qfec", command, "/dev/null"], { cwd: folder, env, stdio: "pipe" }));
}

function ownEnvironment(env: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(ENV|PIPECAT_|FAKE_|.*COLOR)/.test(name));
  return { ...Object.fromEntries(inherited), ...env };
}

function follow(child: ChildProcess): Program {
  const text = { stdout: "", stderr: "" };
  const waiting: (() => void)[] = [];
  const collect = (name: "stdout" | "stderr") => (chunk: string) => {
    text[name] += chunk;
    for (const wake of waiting.splice(0)) wake();
  };
  child.stdout?.setEncoding("utf8").on("data", collect("stdout"));
  child.stderr?.setEncoding("utf8").on("data", collect("stderr"));
  const more = () => new Promise<boolean>((resolve) => waiting.push(() => resolve(true)));
  const ended = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return {
    get stdout() {
      return text.stdout;
    },
    get stderr() {
      return text.stderr;
    },
    ended,
    signal: (name) => void child.kill(name),
    type: (input) => void child.stdin?.write(input),
    pauseStdout: () => void child.stdout?.pause(),
    resumeStdout: () => void child.stdout?.resume(),
    closePipes(...names) {
      for (const name of names) child[name]?.destroy();
    },
    async printed(pattern) {
      for (;;) {
        const match = `${text.stdout}\n${text.stderr}`.match(pattern);
        if (match) return match;
        if (!(await Promise.race([more(), ended.then(() => false)]))) break;
      }
      throw new Error(`The process ended without printing ${pattern}:\n${text.stdout}\n${text.stderr}`);
    },
  };
}

/** Starts a session of the fake transport, whose bot runs at once. Resolves to its id. */
export async function call(url: string, body: unknown = {}): Promise<string> {
  const response = await fetch(new URL("/start", url), { method: "POST", body: JSON.stringify({ body }) });
  const reply = (await response.json()) as { readonly sessionId: string };
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(reply)}`);
  return reply.sessionId;
}
