import { setTimeout as sleep } from "node:timers/promises";
import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { type Answer, createRecordingLogger, type RecordingLogger, send, until } from "@pipecat-ts/runner-testing";
import { onTestFinished } from "vitest";
import type { LiveKitParams, LiveKitRunnerArguments } from "../arguments.ts";
import { createLiveKitPlugin } from "../plugin.ts";
import type { LiveKitTransport } from "../transport.ts";
import { createFakeRooms, type FakeBot, type FakeRoomCaller, type FakeRooms } from "./fake-rooms.ts";
import { apiKey, apiSecret, type LiveKitApi, openLiveKitApi } from "./livekit-api.ts";

/** A runner with a fake LiveKit server. Its bots play back what they receive. */
export interface LiveKitRunner {
  readonly runner: Runner;
  readonly api: LiveKitApi;
  readonly rooms: FakeRooms;
  readonly logger: RecordingLogger;
  /** The arguments, the transports and the failed joins of the bots, oldest first. */
  readonly calls: readonly LiveKitRunnerArguments[];
  readonly transports: readonly LiveKitTransport[];
  readonly errors: readonly unknown[];
  start(body?: unknown): Promise<Answer>;
  /** Starts a session and lets its caller join after the bot. */
  call(
    body?: unknown,
    options?: { readonly joinAfterMs?: number },
  ): Promise<{ readonly caller: FakeRoomCaller; readonly bot: FakeBot; readonly transport: LiveKitTransport }>;
  /** Waits until all sessions have ended, and returns their reasons. */
  ended(timeoutMs?: number): Promise<readonly unknown[]>;
}

export interface LiveKitRunnerOptions extends Partial<RunnerOptions> {
  /** Options of the plugin. */
  readonly livekit?: Readonly<Record<string, unknown>>;
  readonly params?: LiveKitParams;
}

/** Opens a runner for the running test. Everything is closed after it. */
export async function openLiveKitRunner(options: LiveKitRunnerOptions = {}): Promise<LiveKitRunner> {
  const { livekit, params = {}, ...runnerOptions } = options;
  const api = await openLiveKitApi();
  const rooms = createFakeRooms(api);
  const logger = createRecordingLogger();
  const calls: LiveKitRunnerArguments[] = [];
  const transports: LiveKitTransport[] = [];
  const errors: unknown[] = [];
  const runner = createRunner({
    async bot(args) {
      if (args.transport !== "livekit") return;
      calls.push(args);
      try {
        const transport = await createTransport(args, { livekit: () => params });
        transports.push(transport);
        if (Object(args.body).fails) throw new Error("the bot fails");
        await transport.input.pipeTo(transport.output);
      } catch (error) {
        errors.push(error);
        throw error;
      }
    },
    plugins: [createLiveKitPlugin(() => rooms.client)],
    pluginOptions: { livekit: { url: api.url, apiKey, apiSecret, ...livekit } },
    maxSessions: 100,
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...runnerOptions,
  });
  await runner.listen();
  onTestFinished(async () => {
    await runner.close();
    await api[Symbol.asyncDispose]();
  });
  const start = (body?: unknown) =>
    send(new URL("/start", runner.url), { method: "POST", body: { transport: "livekit", body } });
  return {
    runner,
    api,
    rooms,
    logger,
    calls,
    transports,
    errors,
    start,
    async call(body, { joinAfterMs = 0 } = {}) {
      const known = transports.length;
      const { token } = (await start(body)).json as { readonly token: string };
      await until("the bot is in the room", () => transports.length > known, 5_000);
      await sleep(joinAfterMs);
      const caller = await rooms.join(token);
      const bot = rooms.bots(caller.room).at(-1);
      const transport = transports.at(-1);
      if (!bot || !transport) throw new Error("The bot is not in the room.");
      return { caller, bot, transport };
    },
    async ended(timeoutMs = 5_000) {
      await until("all sessions end", () => [...runner.sessions].length === 0, timeoutMs);
      const lines = logger.lines.filter(({ message }) => message === "session ended");
      return lines.map(({ fields }) => (fields as { readonly reason?: unknown }).reason);
    },
  };
}
