import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { until } from "../../packages/runner-testing/src/index.ts";

/** A runner in a process of its own. */
export interface Program {
  /** The address that it prints. */
  readonly origin: string;
  printed(): string;
  /** Sends a signal to the command and everything that it has started. Resolves with the exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

const address = /http:\/\/localhost:\d+/;

/**
 * Runs a shell command as a terminal does: Ctrl-C reaches npm and the runner. Resolves when the runner listens. Rejects with
 * what it printed if it ends before.
 */
export async function launch(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Program> {
  const child: ChildProcess = spawn("sh", ["-c", command], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const closed = once(child, "close");
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (part) => (text += part));
  const program = {
    printed: () => text,
    async stop(signal: NodeJS.Signals) {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, signal);
      await closed;
      return child.exitCode;
    },
  };
  await until("the runner listens", () => address.test(text) || child.exitCode !== null, 30_000);
  const [origin] = address.exec(text) ?? [];
  if (origin !== undefined) return { ...program, origin };
  throw new Error(`${command} does not listen:\n${text}`);
}
