import type { Bot, RunnerArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach } from "vitest";
import type { DailyRunnerArguments } from "../arguments.ts";
import plugin from "../plugin.ts";
import { apiKey, type DailyApi, type DailyApiOptions, openDailyApi } from "./daily-api.ts";

/** A runner that uses the fake API, and the arguments of its bots. */
export interface DailyRunner {
  readonly runner: Runner;
  readonly logger: RecordingLogger;
  readonly calls: readonly DailyRunnerArguments[];
  /** Lets the bots return. */
  finish(): void;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<JsonAnswer>;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface DailyRunnerOptions extends Partial<RunnerOptions> {
  /** Options of the plugin. */
  readonly daily?: Readonly<Record<string, unknown>>;
}

/** A fake of Daily's REST API, and runners that use it. */
export interface DailyFixture {
  readonly api: DailyApi;
  open(options?: DailyRunnerOptions): Promise<DailyRunner>;
}

/** Call once in a test file: each test gets a fake API of its own. Everything is closed after the test. */
export function useDailyFixture(apiOptions: DailyApiOptions = {}): DailyFixture {
  let api: DailyApi;
  const runners: Runner[] = [];
  beforeEach(async () => {
    api = await openDailyApi(apiOptions);
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.close()));
    await api[Symbol.asyncDispose]();
  });
  return {
    get api() {
      return api;
    },
    async open(options) {
      const opened = await openDailyRunner(api, options);
      runners.push(opened.runner);
      return opened;
    },
  };
}

async function openDailyRunner(api: DailyApi, options: DailyRunnerOptions = {}): Promise<DailyRunner> {
  const { daily, ...runnerOptions } = options;
  const logger = createRecordingLogger();
  const calls: DailyRunnerArguments[] = [];
  const finished = Promise.withResolvers<void>();
  const bot: Bot = async (args: RunnerArguments) => {
    if (args.transport === "daily") calls.push(args);
    const aborted = new Promise((resolve) => args.signal.addEventListener("abort", resolve));
    await Promise.race([finished.promise, aborted]);
  };
  const runner = createRunner({
    bot,
    plugins: [plugin],
    pluginOptions: { daily: { apiKey, apiUrl: api.url, ...daily } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...runnerOptions,
  });
  await runner.listen();
  return {
    runner,
    logger,
    calls,
    finish: finished.resolve,
    async post(path, body, headers = {}) {
      const response = await fetch(new URL(path, runner.url), {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      };
    },
  };
}
