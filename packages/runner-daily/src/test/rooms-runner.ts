import type { Bot, RunnerArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import type { DailyRunnerArguments } from "../arguments.ts";
import plugin from "../plugin.ts";
import { apiKey, type DailyApi } from "./daily-api.ts";

/** For tests: a runner whose rooms are the stand-in's, and the arguments of the bots that it ran. */
export interface RoomsRunner extends AsyncDisposable {
  readonly runner: Runner;
  readonly logger: RecordingLogger;
  readonly calls: readonly DailyRunnerArguments[];
  /** Has the bots return. */
  finish(): void;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<JsonAnswer>;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface RoomsRunnerOptions extends Partial<RunnerOptions> {
  readonly daily?: Readonly<Record<string, unknown>>;
}

export async function openRoomsRunner(api: DailyApi, options: RoomsRunnerOptions = {}): Promise<RoomsRunner> {
  const { daily, ...given } = options;
  const logger = createRecordingLogger();
  const calls: DailyRunnerArguments[] = [];
  const over = Promise.withResolvers<void>();
  const bot: Bot = async (args: RunnerArguments) => {
    if (args.transport === "daily") calls.push(args);
    const aborted = new Promise((resolve) => args.signal.addEventListener("abort", resolve));
    await Promise.race([over.promise, aborted]);
  };
  const runner = createRunner({
    bot,
    plugins: [plugin],
    pluginOptions: { daily: { apiKey, apiUrl: api.url, ...daily } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...given,
  });
  await runner.listen();
  return {
    runner,
    logger,
    calls,
    finish: over.resolve,
    async post(path, body, headers = {}) {
      const payload = typeof body === "string" ? body : JSON.stringify(body);
      const response = await fetch(new URL(path, runner.url), {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close", ...headers },
        body: payload,
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      };
    },
    [Symbol.asyncDispose]: () => runner.close(),
  };
}
