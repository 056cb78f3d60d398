import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";

/** A runner in a process of its own, started as a user starts it. */
export interface ChildRunner {
  /** The address its banner shows. */
  readonly origin: string;
  /** What it has printed so far, in one line. */
  printed(): string;
  /** Presses Ctrl-C in its terminal; resolves with its exit code. */
  interrupt(): Promise<number | null>;
}

const root = dirname(import.meta.dirname);

/** Starts `node` with these arguments in the repository's root, and waits for the banner. Rejects with what it printed when it ends before. */
export async function startChildRunner(args: readonly string[]): Promise<ChildRunner> {
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
    child.once("exit", (code) => reject(new Error(`It ended with ${code}:\n${printed}`)));
  });
  return {
    origin,
    printed: () => printed.replace(/\s+/g, " "),
    async interrupt() {
      const exited = child.exitCode === null ? once(child, "exit") : [child.exitCode];
      child.kill("SIGINT");
      return (await exited)[0];
    },
  };
}
