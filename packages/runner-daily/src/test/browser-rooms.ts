import { isRunnerError } from "@pipecat-ts/runner-core";
import { createPlayout, type FakeCaller, type PlayedFrame } from "@pipecat-ts/runner-testing";
import { createBrowserClient } from "../browser-client.ts";
import type { DailyClient, DailyEvent } from "../client.ts";
import { type DailyApi, openDailyApi, readToken } from "./daily-api.ts";
import { openRoomServer, type RoomServer, type RoomServerOptions } from "./room-server.ts";

/** A fake API and a room server; bots and callers join in real browsers. */
export interface BrowserRooms extends AsyncDisposable {
  readonly api: DailyApi;
  readonly server: RoomServer;
  readonly client: DailyClient;
  /** A caller joins in a browser of its own. A refused caller is returned as one that was ejected. */
  join(roomUrl: string, token: string, userName?: string): Promise<BrowserCaller>;
}

export interface BrowserCaller extends FakeCaller {
  /** Every received frame (10 ms) and its time, on the scale of `performance.now()`. */
  readonly received: readonly PlayedFrame[];
  readonly messages: readonly unknown[];
  readonly events: readonly DailyEvent[];
  sendMessage(message: unknown): void;
}

/** After this much received audio, the connection is established. */
const connectedMs = 500;
const connectTimeoutMs = 3_000;

export async function openBrowserRooms(options: Omit<RoomServerOptions, "refuse"> = {}): Promise<BrowserRooms> {
  let rooms: DailyApi["rooms"] | undefined;
  const server = await openRoomServer({
    ...options,
    refuse(room, token) {
      if (!rooms?.has(room)) return { type: "no-room", text: "The meeting you're trying to join does not exist." };
      const { room_name: name, exp } = token === undefined ? {} : readToken(token);
      if (name !== room) return { type: "not-allowed", text: "You are not allowed to join this meeting" };
      return Number(exp) * 1000 < Date.now() ? { type: "exp-token", text: "Token has expired" } : undefined;
    },
  });
  const api = await openDailyApi({ roomOrigin: server.origin });
  rooms = api.rooms;
  api.onRoomDeleted(server.end);
  const client = createBrowserClient({ bundleUrl: server.bundleUrl });

  return {
    api,
    server,
    client,
    join: (roomUrl, token, userName = "Caller") => join(client, roomUrl, token, userName),
    async [Symbol.asyncDispose]() {
      await Promise.all([server[Symbol.asyncDispose](), api[Symbol.asyncDispose]()]);
    },
  };
}

async function join(client: DailyClient, roomUrl: string, token: string, userName: string): Promise<BrowserCaller> {
  const playout = createPlayout();
  const received: PlayedFrame[] = [];
  const messages: unknown[] = [];
  const events: DailyEvent[] = [];
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>();
  const { promise: connected, resolve: resolveConnected } = Promise.withResolvers<void>();

  const call = client.open({
    joined: () => undefined,
    event(event) {
      events.push(event);
      if (event.action === "app-message") messages.push(event.data);
      if (event.action === "error") void close();
    },
    audio(_, __, frame) {
      playout.enqueue(frame);
      received.push({ frame, atMs: performance.now() });
      if (playout.enqueuedMs >= connectedMs) resolveConnected();
    },
    played: () => undefined,
    lost: () => void close(),
  });

  async function close(): Promise<void> {
    await call.close();
    playout.close();
    resolveClosed();
  }

  try {
    await call.join({ roomUrl, token, userName, sampleRate: 16_000, receiveAudio: true, timeoutMs: 30_000 });
  } catch (error) {
    if (!isRunnerError(error) || error.code !== "DAILY_JOIN_REFUSED") throw error;
    // The room was closed while this browser started.
    await close();
  }
  // Audio before the connection is established would be lost. Without a bot in the room there is none.
  const timer = setTimeout(resolveConnected, connectTimeoutMs);
  await Promise.race([connected, closed]);
  clearTimeout(timer);
  return {
    sampleRate: 16_000,
    playout,
    received,
    messages,
    events,
    closed,
    sendAudio: (frame) => call.sendAudio(frame.samples),
    sendMessage: (message) => void call.request("sendAppMessage", message, "*"),
    hangUp: close,
    drop: () => void close(),
  };
}
