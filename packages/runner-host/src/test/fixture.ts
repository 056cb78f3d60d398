import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Bot } from "@pipecat-ts/runner-core";
import { WebSocket } from "ws";
import { connect, createRecordedLog, type RecordedLog } from "../../../runner-sessions/src/test/fixture.ts";
import { createRunner } from "../create-runner.ts";
import type { Runner, RunnerOptions } from "../runner.ts";
import { fakePlugin } from "./fake-plugin.ts";

/** A runner that listens. `await using` closes it. */
export interface RunnerFixture extends AsyncDisposable {
  readonly runner: Runner;
  readonly log: RecordedLog;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Posts JSON, and returns the status and the JSON of the response. */
  post(path: string, body?: unknown): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }>;
  /** Starts a session and connects to it. */
  call(body?: unknown): Promise<{ id: string; socket: WebSocket }>;
}

export async function startRunner(
  options: Partial<RunnerOptions> & { readonly prepare?: (runner: Runner) => void } = {},
): Promise<RunnerFixture> {
  const { prepare, ...rest } = options;
  const log = createRecordedLog();
  const bot: Bot = async ({ signal }) => {
    if (!signal.aborted) await once(signal, "abort");
  };
  const runner = createRunner({ bot, plugins: [fakePlugin()], port: 0, logger: log, env: {}, ...rest });
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
      const socket = new WebSocket(new URL(`/fake/${id}`, runner.url));
      await once(socket, "open");
      return { id, socket };
    },
    [Symbol.asyncDispose]: () => runner.close(),
  };
}

/** Opens a socket: `open`, or the status and code of its rejection. */
export async function openSocket(
  { runner }: Pick<RunnerFixture, "runner">,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<"open" | `${number} ${string}`> {
  const socket = new WebSocket(new URL(path, runner.url), { headers });
  return await Promise.race([
    once(socket, "open").then(() => "open" as const),
    once(socket, "unexpected-response").then(async ([, response]) => {
      const { code } = JSON.parse(await text(response));
      return `${response.statusCode as number} ${code}` as const;
    }),
  ]);
}

export { connect, createRecordedLog };
