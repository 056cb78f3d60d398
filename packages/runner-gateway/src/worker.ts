import { spawn } from "node:child_process";
import module from "node:module";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { inspect } from "node:util";
import { isRunnerError } from "@pipecat-ts/runner-core";
import { attachRunner, type CreateWorkerRunner } from "./attached-runner.ts";
import type { FromWorker, OpenMessage, ToWorker } from "./messages.ts";

export type { WorkerRunner, WorkerRunnerOptions } from "./attached-runner.ts";

/** The parts of `process` that a worker uses. */
export type WorkerChannel = Pick<NodeJS.Process, "on" | "once" | "send" | "connected" | "pid">;

/**
 * Runs a runner for the gateway that started this process: tells it about sessions, and takes callers' connections from it. Signals are
 * ignored: the gateway decides when to stop. When the gateway ends, live calls continue.
 *
 * Resolves when the runner has stopped. The program then exits.
 */
export async function serveWorker(channel: WorkerChannel, create: CreateWorkerRunner): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) channel.on(signal, () => undefined);

  const write = channel.send?.bind(channel);
  // The channel is not the bot's: what a bot sends would pass for the worker's own messages. Node itself calls `disconnect`.
  Object.assign(channel, { send: undefined });

  function send(message: FromWorker): void {
    // Without a gateway, nobody asks.
    if (channel.connected) write?.(message, undefined, {}, () => undefined);
  }

  const disconnected = new Promise<void>((resolve) => void channel.once("disconnect", resolve));
  /** Resolves when the message is written. */
  async function sendLast(message: FromWorker): Promise<void> {
    if (!channel.connected) return;
    await new Promise<void>((resolve) => write?.(message, undefined, {}, () => resolve()));
  }

  const opening = await new Promise<OpenMessage>((resolve) => {
    channel.once("message", (message) => resolve(message as OpenMessage));
  });
  const permits = createPermitRequests(send);
  let opened: Awaited<ReturnType<typeof attachRunner>>;
  try {
    opened = await attachRunner(opening, create, { onReport: send, takePermit: permits.take });
  } catch (error) {
    const { code, message, fix } = isRunnerError(error)
      ? error
      : { code: "WORKER_FAILED", message: inspect(error), fix: undefined };
    await sendLast({ kind: "failed", code, message, fix });
    return;
  }
  const { runner, logger, server, notes } = opened;

  await new Promise<void>((resolve) => {
    function stop(how: "drain" | "close"): void {
      void runner[how]().then(resolve, (err: unknown) => {
        logger.error({ err }, "worker did not stop");
        resolve();
      });
    }

    /** Its caller may have connected since the gateway chose it. */
    function evict(id: string): void {
      const session = runner.sessions.find(id);
      if (session?.state === "pending") void session.end("evicted");
    }

    async function report(): Promise<void> {
      send({ kind: "metrics", values: await runner.metrics() });
    }

    function takeSocket(socket: Socket | undefined, { head, id }: Extract<ToWorker, { kind: "socket" }>): void {
      const closed = () => {
        if (id !== undefined) send({ kind: "socket-closed", id });
      };
      if (!socket) {
        closed(); // The caller is gone.
        return;
      }
      socket.once("close", closed);
      socket.unshift(Buffer.from(head, "base64"));
      server.emit("connection", socket);
    }

    channel.on("message", (received, handle) => {
      const message = received as ToWorker;
      if (message.kind === "socket") takeSocket(handle as Socket | undefined, message);
      else if (message.kind === "ping") send({ kind: "pong" });
      else if (message.kind === "metrics") void report();
      else if (message.kind === "permit") permits.answered(message.id, message.granted);
      else if (message.kind === "crashed") void runner.cleanUpAfterCrash(message.plugin, message.record);
      else if (message.kind === "evict") evict(message.id);
      else if (message.kind === "drain" || message.kind === "close") stop(message.kind);
    });
    void disconnected.then(() => {
      permits.close();
      const { active: calls } = runner.sessions.counts;
      if (calls > 0) logger.warn({ calls }, "connection to the gateway closed; this process ends with its last call");
      stop("drain");
      try {
        cleanUpAfter(channel, opening);
      } catch (err) {
        const fix = `Kill what its bots have started, and remove ${opening.path}. The machine may lack memory or processes.`;
        logger.warn({ err, fix }, "cannot clean up after this process");
      }
    });
    const { transports, unauthenticatedRoutes } = runner;
    // The next workers start with a third less processor time. By itself, Node writes its cache of compiled code when a process exits.
    module.flushCompileCache?.();
    send({ kind: "ready", transports, unauthenticatedRoutes, notes });
  });
  await sendLast({ kind: "metrics", values: await runner.metrics() });
}

/**
 * When this process ends, in whatever way, kills the processes that bots have started, and removes its Unix socket. A gateway does so
 * for its workers. Without it, a shell waits until the pipe from this process is closed. The last worker removes the folder of the
 * sockets. A gateway that still runs, because a bot has closed the channel, needs it for the next worker.
 *
 * Throws when the machine cannot start a process.
 */
function cleanUpAfter({ pid }: WorkerChannel, { gateway, path }: OpenMessage): void {
  if (process.platform === "win32") return;
  const script = 'read _; kill -KILL "-$1"; rm -f "$2"; kill -0 "$4" || rmdir "$3"';
  const shell = spawn("sh", ["-c", script, "sh", `${pid}`, path, dirname(path), `${gateway}`], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Such as a machine without a shell: what bots have started must end by itself.
  shell.on("error", () => undefined);
  shell.unref();
}

/** Asks the gateway for permits, because all workers share them. Without a gateway, none is granted. */
function createPermitRequests(send: (message: FromWorker) => void) {
  const waiting = new Map<number, (granted: boolean) => void>();
  let nextId = 1;
  let closed = false;
  return {
    take(key: string, perMinute: number): Promise<boolean> {
      if (closed) return Promise.resolve(false);
      return new Promise((resolve) => {
        waiting.set(nextId, resolve);
        send({ kind: "take-permit", id: nextId++, key, perMinute });
      });
    },
    answered(id: number, granted: boolean): void {
      waiting.get(id)?.(granted);
      waiting.delete(id);
    },
    close(): void {
      closed = true;
      for (const resolve of waiting.values()) resolve(false);
      waiting.clear();
    },
  };
}
