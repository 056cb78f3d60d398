import { isRunnerError } from "@pipecat-ts/runner-core";
import { createPlayout, type FakeCaller, type PlayedFrame } from "@pipecat-ts/runner-testing";
import { createBrowserEngine } from "../../call/browser/browser-engine.ts";
import type { DailyEngine, DailyEvent } from "../../call/daily-call.ts";
import { type DailyApi, openDailyApi, readToken } from "../daily-api.ts";
import { openRoomServer, type RoomServer, type RoomServerOptions } from "./room-server.ts";

/** For tests: an account's REST API and its rooms, and real browsers to be in them. */
export interface BrowserRooms extends AsyncDisposable {
  readonly api: DailyApi;
  readonly server: RoomServer;
  readonly engine: DailyEngine;
  /** Somebody joins, in a browser of their own; one who is not let in comes as one who was sent away. */
  join(roomUrl: string, token: string, userName?: string): Promise<BrowserCaller>;
}

export interface BrowserCaller extends FakeCaller {
  /** Every frame that came, with when it came, on the scale of `performance.now()`: 10 ms each. */
  readonly arrivals: readonly PlayedFrame[];
  readonly messages: readonly unknown[];
  readonly events: readonly DailyEvent[];
  sendMessage(message: unknown): void;
}

/** How long sound has come when the connection has settled. */
const steadyMs = 500;
const patienceMs = 3_000;

export async function openBrowserRooms(options: Omit<RoomServerOptions, "refuse"> = {}): Promise<BrowserRooms> {
  let api: DailyApi | undefined;
  const server = await openRoomServer({
    ...options,
    refuse(room, token) {
      if (!api?.rooms.has(room)) return { type: "no-room", text: "The meeting you're trying to join does not exist." };
      const { room_name: of, exp } = token === undefined ? {} : readToken(token);
      if (of !== room) return { type: "not-allowed", text: "You are not allowed to join this meeting" };
      return Number(exp) * 1000 < Date.now() ? { type: "exp-token", text: "Token has expired" } : undefined;
    },
  });
  const account = await openDailyApi({ roomOrigin: server.origin });
  api = account;
  account.onRoomDeleted(server.end);
  const engine = createBrowserEngine({ bundleUrl: server.bundleUrl });

  return {
    api: account,
    server,
    engine,
    join: (roomUrl, token, userName = "Caller") => join(engine, roomUrl, token, userName),
    async [Symbol.asyncDispose]() {
      await Promise.all([server[Symbol.asyncDispose](), account[Symbol.asyncDispose]()]);
    },
  };
}

async function join(engine: DailyEngine, roomUrl: string, token: string, userName: string): Promise<BrowserCaller> {
  const playout = createPlayout();
  const arrivals: PlayedFrame[] = [];
  const messages: unknown[] = [];
  const events: DailyEvent[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const { promise: met, resolve: meet } = Promise.withResolvers<void>();

  const call = engine.open(
    {
      event(event) {
        events.push(event);
        if (event.action === "app-message") messages.push(event.data);
        if (event.action === "error") void close();
      },
      audio(_, __, frame) {
        playout.enqueue(frame);
        arrivals.push({ frame, atMs: performance.now() });
        if (playout.enqueuedMs >= steadyMs) meet();
      },
      played: () => undefined,
      lost: () => void close(),
    },
    console as never,
  );

  async function close(): Promise<void> {
    await call.close();
    playout.close();
    resolve();
    meet();
  }

  try {
    await call.join({ roomUrl, token, userName, sampleRate: 16_000, hears: true, timeoutMs: 30_000 });
  } catch (error) {
    if (!isRunnerError(error) || error.code !== "DAILY_JOIN_REFUSED") throw error;
    // The room was closed while this browser started: as if it had been in it.
    await close();
  }
  // What is said before the other end listens is lost. Where no bot is, nobody waits for long.
  const enough = setTimeout(meet, patienceMs);
  await Promise.race([met, closed]);
  clearTimeout(enough);
  return {
    sampleRate: 16_000,
    playout,
    arrivals,
    messages,
    events,
    closed,
    sendAudio: (frame) => call.sendAudio(frame.samples),
    sendMessage: (message) => void call.request("sendAppMessage", message, "*"),
    hangUp: close,
    drop: () => void close(),
  };
}
