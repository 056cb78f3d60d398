import { once } from "node:events";
import type { Bot } from "@pipecat-ts/runner-core";
import type { RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { WebSocket } from "ws";
import { type FakeArguments, fakePlugin } from "../../../runner-host/src/test/fake-plugin.ts";
import { createGateway, type Gateway } from "../gateway.ts";
import type { IsolationFlags } from "../options.ts";
import { createInMemoryWorkers, type InMemoryWorkers } from "./in-memory-workers.ts";

/** A gateway that listens, with workers in this process. `await using` closes it. */
export interface GatewayFixture extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly workers: InMemoryWorkers;
  readonly log: RecordingLogger;
  /** How many workers have exited, as the gateway reports it. */
  readonly exits: () => number;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Starts a session, and returns its id. Throws with status and code when it is rejected. */
  start(): Promise<string>;
  /** Connects to a session. */
  connect(id: string): Promise<WebSocket>;
  call(): Promise<{ readonly id: string; readonly socket: WebSocket }>;
}

/** A bot that stays until its caller leaves, or it must stop. */
export const listeningBot: Bot = async (args) => {
  const { socket, signal } = args as unknown as FakeArguments;
  const left = socket.readyState === socket.OPEN ? once(socket, "close") : undefined;
  if (!signal.aborted) await Promise.race([once(signal, "abort"), left]);
};

export async function startGateway(
  isolation: Partial<IsolationFlags> = {},
  options: Partial<Omit<RunnerOptions, "logger">> = {},
): Promise<GatewayFixture> {
  const log = createRecordingLogger();
  const common = { host: "127.0.0.1", port: 0, env: {}, logger: log, ...options };
  const workers = createInMemoryWorkers(() => ({ bot: listeningBot, plugins: [fakePlugin()], ...common }));
  let exits = 0;
  const gateway = createGateway({
    runner: common,
    isolation: {
      workerSessions: 1,
      warmWorkers: 1,
      maxWorkers: undefined,
      workerMemory: undefined,
      workerCalls: undefined,
      ...isolation,
    },
    workers: workers.start,
    onWorkerExit: () => void exits++,
  });
  await gateway.listen();

  async function start(): Promise<string> {
    const response = await fetch(new URL("/start", gateway.url), { method: "POST" });
    const reply = (await response.json()) as { readonly id?: string; readonly code?: string };
    if (reply.id === undefined) throw new Error(`${response.status} ${reply.code}`);
    return reply.id;
  }

  async function connect(id: string): Promise<WebSocket> {
    const socket = new WebSocket(new URL(`/fake/${id}`, gateway.url));
    await once(socket, "open");
    return socket;
  }

  return {
    gateway,
    workers,
    log,
    exits: () => exits,
    fetch: (path, init) => fetch(new URL(path, gateway.url), { redirect: "manual", ...init }),
    start,
    connect,
    async call() {
      const id = await start();
      return { id, socket: await connect(id) };
    },
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}
