import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";

/** A child process that answers each message with one message. */
export interface Child {
  /** Sends a question and waits for the answer. */
  ask<Answer>(question: object): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a module of this folder in a child process, on one core where `taskset` exists. */
export async function startChild(module: string, core: number): Promise<Child> {
  const options: ForkOptions = { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [] };
  const child = pinned(new URL(module, import.meta.url).pathname, core, options);
  const [ready] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (ready !== "ready")
    throw new Error(`${module} did not start: it sent ${JSON.stringify(ready)} instead of "ready".`);
  return {
    async ask<Answer>(question: object): Promise<Answer> {
      const answered = new AbortController();
      const { signal } = answered;
      const died = once(child, "exit", { signal }).then(
        () => Promise.reject(new Error(`${module} exited before it answered.`)),
        () => [],
      );
      const answer = once(child, "message", { signal });
      child.send(question);
      const [message] = await Promise.race([answer, died]);
      answered.abort();
      return message as Answer;
    },
    async stop() {
      if (!child.connected) return; // it exited, and `ask` has reported it
      const exit = once(child, "exit");
      child.disconnect();
      await exit;
    },
  };
}

function pinned(path: string, core: number, options: ForkOptions): ChildProcess {
  if (!existsSync("/usr/bin/taskset")) return fork(path, [], options);
  return fork(path, [], { ...options, execPath: "/usr/bin/taskset", execArgv: ["-c", String(core), process.execPath] });
}

/** In the child process: answers the parent's questions, and exits when the parent does. */
export function answerParent(answer: (question: Record<string, unknown>) => unknown): void {
  process.on("message", async (question) => {
    process.send?.((await answer(question as Record<string, unknown>)) ?? {});
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.("ready");
}
