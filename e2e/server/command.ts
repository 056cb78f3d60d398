import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";

/** A runner in a child process, started from the command line like a user starts it. */
export interface RunningCommand {
  /** The address in its banner. */
  readonly origin: string;
  /** Everything it has printed, in one line. */
  printed(): string;
  /** The complete lines that it has printed. */
  lines(): readonly string[];
  /** Presses Ctrl-C in its terminal. Resolves with the exit code. */
  interrupt(): Promise<number | null>;
}

const root = dirname(dirname(import.meta.dirname));

/**
 * Runs `node` with these arguments in the repository's root, and waits for the banner. Rejects with the output when the
 * process exits before.
 */
export async function startCommand(args: readonly string[]): Promise<RunningCommand> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const origin = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk.toString();
      const address = /http:\/\/localhost:\d+/.exec(printed)?.[0];
      if (address !== undefined) resolve(address);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The process exited with ${code}:\n${printed}`)));
  });
  return {
    origin,
    printed: () => printed.replace(/\s+/g, " "),
    lines: () => printed.split("\n").slice(0, -1),
    async interrupt() {
      const exited = child.exitCode === null ? once(child, "exit") : [child.exitCode];
      child.kill("SIGINT");
      return (await exited)[0];
    },
  };
}
