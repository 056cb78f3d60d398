import { randomUUID } from "node:crypto";
import type { AudioFrame } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import { createPlayout, type FakeCaller } from "@pipecat-ts/runner-testing";
import type { DailyCall, DailyCallListener, DailyClient, DailyMethod, JoinRequest } from "../client.ts";
import type { DailyTransport } from "../transport.ts";
import { type DailyApi, readToken } from "./daily-api.ts";

/** The rooms of a fake API, in memory: bots join with `client`, callers with `join`. */
export interface FakeRooms {
  readonly client: DailyClient;
  /** The bots in a room, by room name. */
  bots(room: string): readonly FakeBotCall[];
  /** Rejects when the room does not exist, or the token is not for this room. */
  join(roomUrl: string, token: string, userName?: string): Promise<FakeRoomCaller>;
  /** The next `DailyCall.join` rejects with this error. */
  failJoin(error: Error): void;
}

/** The call of a bot, for tests. */
export interface FakeBotCall {
  readonly listener: DailyCallListener;
  readonly request: JoinRequest;
  readonly requests: readonly { readonly method: DailyMethod; readonly args: readonly unknown[] }[];
  readonly closed: boolean;
  /** Answers the methods of daily-js. Default: `undefined`. */
  answer: (method: DailyMethod, ...args: readonly unknown[]) => unknown;
}

export interface FakeRoomCaller extends FakeCaller {
  readonly id: string;
  readonly messages: readonly unknown[];
  sendMessage(message: unknown): void;
}

interface Member {
  readonly id: string;
  readonly info: Readonly<Record<string, unknown>>;
  event(action: string, fields: object): void;
  audio(from: string, frame: AudioFrame): void;
  clear(): void;
  eject(): void;
}

const silentFrame: AudioFrame = { samples: new Int16Array(320), sampleRate: 16_000, channels: 1 };

/** The limit of daily-js 0.92.2 before the room sets another one, in characters of JSON. */
const maxMessageLength = 4_096;

export function createFakeRooms(api: DailyApi): FakeRooms {
  const rooms = new Map<string, Set<Member>>();
  const bots = new Map<string, FakeBotCall[]>();
  const failures: Error[] = [];
  api.onRoomDeleted((name) => {
    for (const member of [...(rooms.get(name) ?? [])]) member.eject();
  });

  function admit(
    roomUrl: string,
    token: string | undefined,
  ): { readonly name: string; readonly owner: boolean; readonly userId: unknown } {
    const name = roomUrl.split("/").at(-1) ?? "";
    if (!api.rooms.has(name)) throw refusal("no-room", `room ${name} does not exist`);
    const claims = token === undefined ? { room_name: name } : readToken(token);
    if (claims.room_name !== name) throw refusal("not-allowed", "token of another room");
    return { name, owner: claims.is_owner === true, userId: claims.user_id };
  }

  function membersOf(name: string): Set<Member> {
    const members = rooms.get(name) ?? new Set();
    rooms.set(name, members);
    return members;
  }

  function others(name: string, ownId: string): Member[] {
    return [...membersOf(name)].filter(({ id }) => id !== ownId);
  }

  function add(name: string, member: Member): void {
    for (const other of membersOf(name)) {
      other.event("participant-joined", { participant: member.info });
      member.event("participant-joined", { participant: other.info });
    }
    membersOf(name).add(member);
  }

  function remove(name: string, member: Member): void {
    if (!membersOf(name).delete(member)) return;
    for (const other of membersOf(name)) other.event("participant-left", { participant: member.info });
  }

  const client: DailyClient = {
    check: () => ({ state: "ready" }),
    open(listener): DailyCall {
      const requests: { method: DailyMethod; args: readonly unknown[] }[] = [];
      const playout = createPlayout();
      const id = randomUUID();
      let room = "";
      let member: Member | undefined;
      let sampleRate = 24_000;
      const later = (notify: () => void) => setImmediate(() => !bot.closed && notify());
      const bot = {
        listener,
        request: undefined as unknown as JoinRequest,
        requests,
        closed: false,
        answer: (..._: readonly unknown[]): unknown => undefined,
      };
      return {
        async join(request) {
          await new Promise((resolve) => setImmediate(resolve));
          const failure = failures.shift();
          if (failure) throw failure;
          if (bot.closed) throw new RunnerError("CALL_ENDED", "closed");
          const { name, owner } = admit(request.roomUrl, request.token);
          room = name;
          sampleRate = request.sampleRate;
          Object.assign(bot, { request });
          bots.set(name, [...(bots.get(name) ?? []), bot]);
          const info = { ...participant(id, request.userName, owner), userData: request.userData };
          listener.joined({ local: { ...info, local: true } });
          member = {
            id,
            info,
            event: (action, fields) => later(() => listener.event({ action, ...fields })),
            audio: (from, frame) => later(() => request.receiveAudio && listener.audio(from, "audio", frame)),
            clear: () => undefined,
            eject: () => listener.event({ action: "error", errorMsg: "room deleted", error: { type: "ejected" } }),
          };
          add(name, member);
          for (const other of others(name, id)) for (let n = 0; n < 20; n++) member.audio(other.id, silentFrame);
        },
        sendAudio(samples) {
          const frame = { samples: samples.slice(), sampleRate, channels: 1 } as const;
          playout.enqueue(frame);
          for (const other of others(room, id)) other.audio(id, frame);
        },
        clearAudio() {
          playout.clear();
          for (const other of others(room, id)) other.clear();
        },
        markAudio: (mark) => playout.whenPlayed(() => later(() => listener.played(mark))),
        bufferedBytes: 0,
        async request(method, ...args) {
          if (bot.closed) throw new RunnerError("CALL_ENDED", "closed");
          requests.push({ method, args });
          if (method !== "sendAppMessage") return await bot.answer(method, ...args);
          const [message, to] = args;
          const text = JSON.stringify(message);
          if (text.length > maxMessageLength) {
            throw new RunnerError(
              "DAILY_CALL_FAILED",
              `Daily refused: Message data too large. Max size is ${maxMessageLength}`,
            );
          }
          for (const other of others(room, id)) {
            if (to === "*" || to === other.id) other.event("app-message", { data: JSON.parse(text), fromId: id });
          }
        },
        async close() {
          bot.closed = true;
          playout.close();
          if (member) remove(room, member);
        },
      };
    },
  };

  return {
    client,
    bots: (room) => bots.get(room) ?? [],
    failJoin: (error) => void failures.push(error),
    async join(roomUrl, token, userName = "Caller") {
      const { name, owner, userId } = admit(roomUrl, token);
      const id = randomUUID();
      const playout = createPlayout();
      const messages: unknown[] = [];
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const member: Member = {
        id,
        info: participant(id, userName, owner, userId),
        event(action, fields) {
          if (action === "app-message") messages.push((fields as { readonly data: unknown }).data);
        },
        audio: (_, frame) => playout.enqueue(frame),
        clear: () => playout.clear(),
        eject: leave,
      };
      function leave(): void {
        remove(name, member);
        playout.close();
        resolve();
      }
      add(name, member);
      // An open microphone sends silence.
      for (const other of others(name, id)) for (let n = 0; n < 20; n++) other.audio(id, silentFrame);
      return {
        id,
        sampleRate: 16_000,
        playout,
        messages,
        closed,
        sendAudio: (frame) => {
          for (const other of others(name, id)) other.audio(id, frame);
        },
        sendMessage: (message) => {
          for (const other of others(name, id)) other.event("app-message", { data: message, fromId: id });
        },
        async hangUp() {
          leave();
        },
        drop: leave,
      };
    },
  };
}

function participant(id: string, userName: string, owner: boolean, userId: unknown = id): Record<string, unknown> {
  const track = (state: string) => ({ state, subscribed: true });
  return {
    session_id: id,
    user_id: userId,
    user_name: userName,
    local: false,
    owner,
    joined_at: "2026-01-01T00:00:00.000Z",
    permissions: { hasPresence: true, canSend: true },
    tracks: { audio: track("playable"), video: track("off") },
  };
}

function refusal(type: string, message: string): RunnerError {
  return new RunnerError("DAILY_JOIN_REFUSED", `Daily does not admit the bot: ${type}: ${message}.`);
}

/** Records the events with these names, buffered ones included, as `[name, ...args]`. */
export function recordEvents(transport: DailyTransport, ...names: Parameters<DailyTransport["on"]>[0][]): unknown[][] {
  const events: unknown[][] = [];
  for (const name of names) transport.on(name, (...values: unknown[]) => void events.push([name, ...values]));
  return events;
}
