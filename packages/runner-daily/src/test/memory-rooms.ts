import { randomUUID } from "node:crypto";
import type { AudioFrame } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import { createPlayout, type FakeCaller } from "@pipecat-ts/runner-testing";
import type { DailyCall, DailyCallListener, DailyEngine, DailyMethod, JoinRequest } from "../call/daily-call.ts";
import { type DailyApi, readToken } from "./daily-api.ts";

/** For tests: the rooms of a stand-in API, as far as they need no network. Says what Daily's call machine would. */
export interface MemoryRooms {
  readonly engine: DailyEngine;
  /** Bots that are in a room, by room name. */
  bots(room: string): readonly MemorySeat[];
  /** Somebody joins. Rejects for rooms that are not there and tokens that are not theirs. */
  join(roomUrl: string, token: string, userName?: string): Promise<MemoryCaller>;
  /** Has the next joins fail. */
  failJoin(error: Error): void;
}

/** A bot's seat as a test sees it. */
export interface MemorySeat {
  readonly listener: DailyCallListener;
  readonly request: JoinRequest;
  readonly requests: readonly { readonly method: DailyMethod; readonly args: readonly unknown[] }[];
  readonly closed: boolean;
  /** What methods answer; without it they answer nothing. */
  answer: (method: DailyMethod, ...args: readonly unknown[]) => unknown;
}

export interface MemoryCaller extends FakeCaller {
  readonly id: string;
  readonly messages: readonly unknown[];
  sendMessage(message: unknown): void;
}

interface Member {
  readonly id: string;
  readonly info: Readonly<Record<string, unknown>>;
  event(action: string, fields: object): void;
  audio(from: string, frame: AudioFrame): void;
  clear(from: string): void;
  remove(): void;
}

const quiet: AudioFrame = { samples: new Int16Array(320), sampleRate: 16_000, channels: 1 };

/** What daily-js 0.92.2 takes before the room says otherwise, in characters of JSON. */
const maxMessageLength = 4_096;

export function createMemoryRooms(api: DailyApi): MemoryRooms {
  const rooms = new Map<string, Set<Member>>();
  const seats = new Map<string, MemorySeat[]>();
  const failures: Error[] = [];
  api.onRoomDeleted((name) => {
    for (const member of [...(rooms.get(name) ?? [])]) member.remove();
  });

  function enter(roomUrl: string, token: string | undefined): { readonly name: string; readonly owner: boolean } {
    const name = roomUrl.split("/").at(-1) ?? "";
    if (!api.rooms.has(name)) throw refusal("no-room", `room ${name} does not exist`);
    const { room_name: of, is_owner: owner } = token === undefined ? { room_name: name } : readToken(token);
    if (of !== name) throw refusal("not-allowed", "token of another room");
    return { name, owner: owner === true };
  }

  function membersOf(name: string): Set<Member> {
    const members = rooms.get(name) ?? new Set();
    rooms.set(name, members);
    return members;
  }

  function others(name: string, than: string): Member[] {
    return [...membersOf(name)].filter(({ id }) => id !== than);
  }

  function add(name: string, member: Member): void {
    for (const other of membersOf(name)) {
      other.event("participant-joined", { participant: member.info });
      member.event("participant-joined", { participant: other.info });
    }
    membersOf(name).add(member);
  }

  function drop(name: string, member: Member): void {
    if (!membersOf(name).delete(member)) return;
    for (const other of membersOf(name)) other.event("participant-left", { participant: member.info });
  }

  const engine: DailyEngine = {
    check: () => ({ state: "ready" }),
    open(listener): DailyCall {
      const requests: { method: DailyMethod; args: readonly unknown[] }[] = [];
      const playout = createPlayout();
      const id = randomUUID();
      let room = "";
      let member: Member | undefined;
      let sampleRate = 24_000;
      const tell = (what: () => void) => setImmediate(() => !seat.closed && what());
      const seat = {
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
          if (seat.closed) throw new RunnerError("CALL_ENDED", "closed");
          const { name, owner } = enter(request.roomUrl, request.token);
          room = name;
          sampleRate = request.sampleRate;
          Object.assign(seat, { request });
          seats.set(name, [...(seats.get(name) ?? []), seat]);
          const info = { ...participant(id, request.userName, owner), userData: request.userData };
          member = {
            id,
            info,
            event: (action, fields) => tell(() => listener.event({ action, ...fields })),
            audio: (from, frame) => tell(() => request.hears && listener.audio(from, "audio", frame)),
            clear: () => undefined,
            remove: () => listener.event({ action: "error", errorMsg: "room deleted", error: { type: "ejected" } }),
          };
          add(name, member);
          for (const other of others(name, id)) for (let n = 0; n < 20; n++) member.audio(other.id, quiet);
          return { participants: { local: { ...info, local: true } } };
        },
        sendAudio(samples) {
          const frame = { samples: samples.slice(), sampleRate, channels: 1 } as const;
          playout.enqueue(frame);
          for (const other of others(room, id)) other.audio(id, frame);
        },
        clearAudio() {
          playout.clear();
          for (const other of others(room, id)) other.clear(id);
        },
        markAudio: (mark) => playout.whenPlayed(() => tell(() => listener.played(mark))),
        bufferedBytes: 0,
        async request(method, ...args) {
          if (seat.closed) throw new RunnerError("CALL_ENDED", "closed");
          requests.push({ method, args });
          if (method !== "sendAppMessage") return await seat.answer(method, ...args);
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
          seat.closed = true;
          playout.close();
          if (member) drop(room, member);
        },
      };
    },
  };

  return {
    engine,
    bots: (room) => seats.get(room) ?? [],
    failJoin: (error) => void failures.push(error),
    async join(roomUrl, token, userName = "Caller") {
      const { name, owner } = enter(roomUrl, token);
      const id = randomUUID();
      const playout = createPlayout();
      const messages: unknown[] = [];
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const member: Member = {
        id,
        info: participant(id, userName, owner),
        event(action, fields) {
          if (action === "app-message") messages.push((fields as { readonly data: unknown }).data);
        },
        audio: (_, frame) => playout.enqueue(frame),
        clear: () => playout.clear(),
        remove: leave,
      };
      function leave(): void {
        drop(name, member);
        playout.close();
        resolve();
      }
      add(name, member);
      // As a microphone nobody speaks into.
      for (const other of others(name, id)) for (let n = 0; n < 20; n++) other.audio(id, quiet);
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

function participant(id: string, userName: string, owner: boolean): Record<string, unknown> {
  const track = (state: string) => ({ state, subscribed: true });
  return {
    session_id: id,
    user_id: id,
    user_name: userName,
    local: false,
    owner,
    joined_at: "2026-01-01T00:00:00.000Z",
    permissions: { hasPresence: true, canSend: true },
    tracks: { audio: track("playable"), video: track("off") },
  };
}

function refusal(type: string, message: string): RunnerError {
  return new RunnerError("DAILY_JOIN_REFUSED", `Daily does not let the bot in: ${type}: ${message}.`);
}
