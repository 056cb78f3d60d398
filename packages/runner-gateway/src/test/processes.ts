import { once } from "node:events";
import { join } from "node:path";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { WebSocket } from "ws";
import { createGateway, type Gateway } from "../gateway.ts";
import type { IsolationFlags } from "../options.ts";

/** A gateway in this process, with workers in processes of their own. `await using` closes it. */
export interface ProcessesFixture extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly log: RecordingLogger;
  /** Starts a session, and returns its id. Throws with status and code when it is rejected. */
  start(): Promise<string>;
  /** Opens a socket to a session. */
  connect(id: string): WebSocket;
  /** The value of a metric, given with its labels. */
  metric(name: string): Promise<number>;
  /** The sessions that crashed. */
  crashes(): readonly unknown[];
  /** How workers ended unexpectedly. */
  exits(): readonly object[];
}

export async function startGateway(isolation: Partial<IsolationFlags>): Promise<ProcessesFixture> {
  const log = createRecordingLogger();
  const gateway = createGateway({
    runner: { host: "127.0.0.1", port: 0, logger: log, maxSessions: 1_000 },
    isolation: {
      ...{ workerSessions: 1, warmWorkers: 1, maxWorkers: undefined, workerMemory: undefined, workerCalls: undefined },
      ...isolation,
    },
    workers: { entry: join(import.meta.dirname, "worker-program.ts"), args: [] },
  });
  await gateway.listen();

  async function start(): Promise<string> {
    const response = await fetch(new URL("/start", gateway.url), { method: "POST" });
    const reply = (await response.json()) as { readonly id?: string; readonly code?: string };
    if (reply.id === undefined) throw new Error(`${response.status} ${reply.code}`);
    return reply.id;
  }

  return {
    gateway,
    log,
    start,
    connect: (id: string) => new WebSocket(new URL(`/fake/${id}`, gateway.url)),
    async metric(name: string) {
      const metrics = await (await fetch(new URL("/metrics", gateway.url))).text();
      return Number(metrics.split(`${name} `)[1]?.split("\n")[0]);
    },
    crashes: () => log.lines.filter(({ fields }) => fields.reason === "crashed").map(({ fields }) => fields.session),
    exits: () => log.lines.filter(({ message }) => message === "worker ended unexpectedly").map(({ fields }) => fields),
    [Symbol.asyncDispose]: gateway.close,
  };
}

/** Sends a message as soon as the socket is open, and resolves when it is echoed. */
export async function firstMessage(socket: WebSocket): Promise<void> {
  socket.once("open", () => socket.send('"hello"'));
  await once(socket, "message", { signal: AbortSignal.timeout(20_000) });
  socket.close();
}
