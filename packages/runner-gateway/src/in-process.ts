import { connect } from "node:net";
import { RunnerError } from "@pipecat-ts/runner-core";
import { countersOf, type MetricValues } from "@pipecat-ts/runner-host";
import { attachRunner, type CreateWorkerRunner } from "./attached-runner.ts";
import type { ReadyMessage } from "./messages.ts";
import type { StartWorker, WorkerExit, WorkerProcess } from "./worker-process.ts";

/**
 * The worker of a gateway without process isolation: a runner in the gateway's own process. The gateway can start one; it cannot be
 * replaced.
 */
export function createInProcessStarter(create: CreateWorkerRunner): StartWorker {
  let isStarted = false;
  return (open, events) => {
    const exited = Promise.withResolvers<WorkerExit>();
    const isRefused = isStarted;
    const opening = isRefused ? Promise.reject(cannotReload()) : attachRunner(open, create, events);
    isStarted = true;
    let lastMetrics: MetricValues = [];

    async function start(): Promise<ReadyMessage> {
      try {
        const { runner, notes } = await opening;
        const { transports, unauthenticatedRoutes } = runner;
        return { kind: "ready", transports, unauthenticatedRoutes, notes };
      } catch (error) {
        exited.resolve({ cause: isRefused ? "stopped" : "code", code: 1, signal: null });
        throw error;
      }
    }

    async function stop(how: "drain" | "close"): Promise<void> {
      try {
        const { runner } = await opening;
        await runner[how]();
        await worker.metrics();
      } finally {
        exited.resolve({ cause: "stopped", code: 0, signal: null });
      }
    }

    const ready = start();
    ready.catch(() => undefined); // The pool reports it.
    const worker: WorkerProcess = {
      number: open.owner.worker,
      pid: process.pid,
      path: open.path,
      ready,
      exited: exited.promise,
      isSilent: false,
      isResponsive: async () => true,
      connect: () => connect({ path: open.path, allowHalfOpen: true }),
      upgrade({ request, connection, head }) {
        void opening.then(({ server }) => server.emit("upgrade", request, connection, head));
      },
      handOver: (socket) => void socket.destroy(), // `upgrade` takes them.
      async metrics() {
        const { runner } = await opening;
        // The gateway reports those of the process.
        lastMetrics = (await runner.metrics()).filter(({ name }) => name.startsWith("pipecat_"));
        return lastMetrics;
      },
      get lastCounters() {
        return countersOf(lastMetrics);
      },
      evict(id) {
        void opening.then(({ runner }) => {
          const session = runner.sessions.find(id);
          if (session?.state === "pending") void session.end("evicted");
        });
      },
      cleanUp: () => undefined, // A crash ends this process too.
      stop: (how) => void stop(how).catch(() => undefined), // The runner logs what fails.
      kill: () => worker.stop("close"),
    };
    return worker;
  };
}

function cannotReload(): RunnerError {
  return new RunnerError("OPTION_INVALID", "The bot runs in the process of the server, which cannot load it again.", {
    fix: "Restart the process, or run bots in processes of their own with --isolation process.",
  });
}
