import { once } from "node:events";
import type { Bot } from "@pipecat-ts/runner-core";
import { WebSocket } from "ws";
import { createRunner } from "../create-runner.ts";
import type { Runner, RunnerOptions } from "../runner.ts";
import { recordLog } from "./recorded-log.ts";
import { toyPlugin } from "./toy-plugin.ts";

/** A runner that listens, for this package's own tests. `await using` closes it. */
export interface ToyRunner extends AsyncDisposable {
  readonly runner: Runner;
  readonly log: ReturnType<typeof recordLog>;
  /** Fetches a path of it. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Posts JSON and gives the answer's status and JSON. */
  post(path: string, body?: unknown): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }>;
  /** Starts a session and connects to it. */
  call(body?: unknown): Promise<{ id: string; socket: WebSocket }>;
}

export async function startToyRunner(
  options: Partial<RunnerOptions> & { readonly prepare?: (runner: Runner) => void } = {},
): Promise<ToyRunner> {
  const { prepare, ...rest } = options;
  const log = recordLog();
  const bot: Bot = async ({ signal }) => {
    if (!signal.aborted) await once(signal, "abort");
  };
  const runner = createRunner({ bot, plugins: [toyPlugin()], port: 0, logger: log, env: {}, ...rest });
  prepare?.(runner);
  await runner.listen();

  async function post(path: string, body?: unknown) {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { "content-type": "application/json" };
    const response = await fetch(new URL(path, runner.url), { method: "POST", headers, ...init });
    return { status: response.status, headers: response.headers, body: (await response.json()) as never };
  }

  return {
    runner,
    log,
    fetch: (path, init) => fetch(new URL(path, runner.url), { redirect: "manual", ...init }),
    post,
    async call(body) {
      const started = await post("/start", { body });
      const id = String((started.body as { id?: string }).id);
      const socket = new WebSocket(new URL(`/toy/${id}`, runner.url));
      await once(socket, "open");
      return { id, socket };
    },
    [Symbol.asyncDispose]: () => runner.close(),
  };
}
