import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";

/** A process of a measurement, which answers each message with one message. */
export interface Child {
  /** Asks and waits for the answer. */
  ask<Answer>(question: object): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a module of this folder in a process of its own, held to one core where the system can do that. */
export async function startChild(module: string, core: number): Promise<Child> {
  const options: ForkOptions = { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [] };
  const child = pinned(new URL(module, import.meta.url).pathname, core, options);
  const [ready] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (ready !== "ready") throw new Error(`${module} said ${JSON.stringify(ready)} instead of being ready`);
  return {
    async ask<Answer>(question: object): Promise<Answer> {
      const answered = new AbortController();
      const { signal } = answered;
      const gone = once(child, "exit", { signal }).then(
        () => Promise.reject(new Error(`${module} died`)),
        () => [],
      );
      const answer = once(child, "message", { signal });
      child.send(question);
      const [message] = await Promise.race([answer, gone]);
      answered.abort();
      return message as Answer;
    },
    async stop() {
      if (!child.connected) return; // it died, and whoever asked it something was told
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

/** Answers the questions of `startChild`'s parent, and ends with it. */
export function answerParent(answer: (question: Record<string, unknown>) => unknown): void {
  process.on("message", async (question) => {
    process.send?.((await answer(question as Record<string, unknown>)) ?? {});
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.("ready");
}
