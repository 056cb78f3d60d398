import { type Bot, createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger, until, within } from "@pipecat-ts/runner-testing";
import { afterAll, afterEach } from "vitest";
import { createDailyPlugin } from "../plugin.ts";
import { configureDaily, roomName } from "../rooms.ts";
import type { DailyTransport } from "../transport.ts";
import { browserProcesses, browserProfiles } from "./browser-processes.ts";
import { type BrowserCaller, type BrowserRooms, openBrowserRooms } from "./browser-rooms.ts";
import { apiKey } from "./daily-api.ts";

/** Browsers start slowly on two cores. */
export const timeoutMs = 15_000;

/** Calls with real Chromium, daily-js and WebRTC. Only Daily's servers and its call machine are fakes. */
export interface BrowserCalls extends Pick<BrowserRooms, "api" | "server"> {
  /** Starts a bot with `POST path`. It stays in its room until the call ends. `options` are further plugin options. */
  start(path?: string, body?: object, options?: Readonly<Record<string, unknown>>): Promise<BrowserCall>;
  /** Creates a room without a bot. */
  openRoom(): Promise<Pick<BrowserCall, "room" | "reply">>;
  join(call: Pick<BrowserCall, "reply">, userName?: string): Promise<BrowserCaller>;
}

export interface BrowserCall {
  readonly runner: Runner;
  readonly logger: RecordingLogger;
  readonly transport: DailyTransport;
  /** The name of the room. */
  readonly room: string;
  /** The reply to the start request. */
  readonly reply: Readonly<Record<string, string>>;
}

/** Call once in a test file. After each test all callers hang up, and no browser may be left. */
export async function useBrowserCalls(options: Parameters<typeof openBrowserRooms>[0] = {}): Promise<BrowserCalls> {
  const rooms = await openBrowserRooms(options);
  const { api, server, client } = rooms;
  const runners: Runner[] = [];
  const callers: BrowserCaller[] = [];
  afterEach(async () => {
    await Promise.all(callers.splice(0).map((caller) => caller.hangUp()));
    await Promise.all(runners.splice(0).map((runner) => runner.close()));
    await until("no browser is left", () => browserProcesses().length === 0 && browserProfiles().length === 0, 3_000);
  });
  afterAll(() => rooms[Symbol.asyncDispose]());

  return {
    api,
    server,
    async start(path = "/start", body = { createDailyRoom: true }, daily = {}) {
      const logger = createRecordingLogger();
      const { promise: connected, resolve, reject } = Promise.withResolvers<DailyTransport>();
      const bot: Bot = async (args) => {
        if (args.transport !== "daily") return;
        try {
          const transport = await createTransport(args, { daily: () => ({ userName: "Tester" }) });
          resolve(transport);
          await transport.closed;
        } catch (error) {
          reject(error);
        }
      };
      const runner = createRunner({
        bot,
        plugins: [createDailyPlugin(() => client)],
        pluginOptions: { daily: { apiKey, apiUrl: api.url, ...daily } },
        host: "127.0.0.1",
        port: 0,
        env: {},
        logger,
      });
      runners.push(runner);
      await runner.listen();
      const response = await fetch(new URL(path, runner.url), {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close" },
        body: JSON.stringify(body),
      });
      const reply = (await response.json()) as Record<string, string>;
      const room = roomName(String(reply.dailyRoom));
      return { runner, logger, room, reply, transport: await within("the bot joins", connected, timeoutMs) };
    },
    async openRoom() {
      const { roomUrl: dailyRoom, callerToken: dailyToken } = await configureDaily({ apiKey, apiUrl: api.url });
      return { room: roomName(dailyRoom), reply: { dailyRoom, dailyToken } };
    },
    async join({ reply }, userName = "Caller") {
      const caller = await rooms.join(String(reply.dailyRoom), String(reply.dailyToken), userName);
      callers.push(caller);
      return caller;
    },
  };
}
