import type { OptionTable } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

/** Whether and how bots run in processes of their own. */
export interface IsolationFlags {
  readonly isolation: "none" | "process";
  readonly workerSessions: number;
  readonly warmWorkers: number;
  readonly maxWorkers: number | undefined;
  readonly workerMemory: number | undefined;
  readonly workerCalls: number | undefined;
}

export const isolationFlags: OptionTable<IsolationFlags> = {
  isolation: {
    flag: "isolation",
    env: "PIPECAT_RUNNER_ISOLATION",
    default: "none",
    description: "process: bots run in child processes, so that a crash ends the calls of one process only",
    schema: Type.Union([Type.Literal("none"), Type.Literal("process")]),
    placeholder: "none|process",
  },
  workerSessions: {
    flag: "worker-sessions",
    env: "PIPECAT_RUNNER_WORKER_SESSIONS",
    default: 1,
    description: "Calls at once in one child process (--isolation process)",
    schema: Type.Integer({ minimum: 1 }),
    placeholder: "count",
  },
  warmWorkers: {
    flag: "warm-workers",
    env: "PIPECAT_RUNNER_WARM_WORKERS",
    default: 1,
    description: "Child processes that are ready and wait for calls (--isolation process)",
    schema: Type.Integer({ minimum: 1 }),
    placeholder: "count",
  },
  maxWorkers: {
    flag: "max-workers",
    env: "PIPECAT_RUNNER_MAX_WORKERS",
    description: "Maximum number of child processes (default: enough for --max-sessions, else 4 per core)",
    schema: Type.Integer({ minimum: 1, maximum: 10_000 }),
    placeholder: "count",
  },
  workerMemory: {
    flag: "worker-memory",
    env: "PIPECAT_RUNNER_WORKER_MEMORY",
    description: "Heap limit of a child process in MB (--isolation process; default: V8's)",
    schema: Type.Integer({ minimum: 32, maximum: 1_048_576 }),
    placeholder: "megabytes",
  },
  workerCalls: {
    flag: "worker-calls",
    env: "PIPECAT_RUNNER_WORKER_CALLS",
    description: "Calls after which a child process is replaced (--isolation process; default: no limit)",
    schema: Type.Integer({ minimum: 1 }),
    placeholder: "count",
  },
};
