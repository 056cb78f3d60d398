import { type Bot, createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger, until, within } from "@pipecat-ts/runner-testing";
import { afterAll, afterEach } from "vitest";
import type { DailyTransport } from "../call/daily-transport.ts";
import { createDailyPlugin } from "../plugin.ts";
import { configureDaily } from "../rooms/configure.ts";
import { roomName } from "../rooms/prepare-room.ts";
import { browserProcesses, profiles } from "./browser-remains.ts";
import { type BrowserCaller, type BrowserRooms, openBrowserRooms } from "./call-machine/browser-rooms.ts";
import { apiKey } from "./daily-api.ts";

/** How long what must happen may take, in ms: browsers are slow to start where two cores are all there is. */
export const patienceMs = 15_000;

/**
 * For tests: calls with real Chromium, real daily-js and real WebRTC, where what Daily's own servers and code do is played by
 * a stand-in.
 */
export interface BrowserCalls extends Pick<BrowserRooms, "api" | "server"> {
  /** Starts a bot by `POST path`, which stays in its room until the call ends; with further options of the transport. */
  start(path?: string, body?: object, options?: Readonly<Record<string, unknown>>): Promise<BrowserCall>;
  /** A room that is there before any bot. */
  openRoom(): Promise<Pick<BrowserCall, "room" | "reply">>;
  /** Somebody joins. */
  enter(call: Pick<BrowserCall, "reply">, userName?: string): Promise<BrowserCaller>;
}

export interface BrowserCall {
  readonly runner: Runner;
  readonly logger: RecordingLogger;
  readonly transport: DailyTransport;
  /** The room's name. */
  readonly room: string;
  /** What the start request was answered. */
  readonly reply: Readonly<Record<string, string>>;
}

/** Call once in a test file. After each test everybody leaves, and nothing of a browser may be left. */
export async function useBrowserCalls(options: Parameters<typeof openBrowserRooms>[0] = {}): Promise<BrowserCalls> {
  const rooms = await openBrowserRooms(options);
  const { api, server, engine } = rooms;
  const runners: Runner[] = [];
  const callers: BrowserCaller[] = [];
  afterEach(async () => {
    await Promise.all(callers.splice(0).map((caller) => caller.hangUp()));
    await Promise.all(runners.splice(0).map((runner) => runner.close()));
    await until("no browser is left", () => browserProcesses().length === 0 && profiles().length === 0, 3_000);
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
        plugins: [createDailyPlugin(() => engine)],
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
      return { runner, logger, room, reply, transport: await within("the bot joins", connected, patienceMs) };
    },
    async openRoom() {
      const { roomUrl: dailyRoom, callerToken: dailyToken } = await configureDaily({ apiKey, apiUrl: api.url });
      return { room: roomName(dailyRoom), reply: { dailyRoom, dailyToken } };
    },
    async enter({ reply }, userName = "Caller") {
      const caller = await rooms.join(String(reply.dailyRoom), String(reply.dailyToken), userName);
      callers.push(caller);
      return caller;
    },
  };
}

/** Everything that a transport tells of these names from now on, with what was held. */
export function told(transport: DailyTransport, ...names: Parameters<DailyTransport["on"]>[0][]): unknown[][] {
  const events: unknown[][] = [];
  for (const name of names) transport.on(name, (...values: unknown[]) => void events.push([name, ...values]));
  return events;
}
