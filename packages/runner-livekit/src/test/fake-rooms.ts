import type { AudioFrame } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import { createPlayout, type FakeCaller } from "@pipecat-ts/runner-testing";
import type { JoinRequest, LiveKitClient, LiveKitParticipant, RoomListener } from "../client.ts";
import { type LiveKitApi, readToken } from "./livekit-api.ts";

/** The rooms of a fake server whose `auto_create` is off, in memory: bots join with `client`, callers with `join`. */
export interface FakeRooms {
  readonly client: LiveKitClient;
  /** How many rooms have participants. */
  readonly count: number;
  /** The bots in a room. */
  bots(room: string): readonly FakeBot[];
  /** Rejects when the token is not valid. */
  join(token: string): Promise<FakeRoomCaller>;
  /** The next join of a bot rejects with this error; `hang`: it takes until the bot's signal aborts. */
  failJoin(error: Error | "hang"): void;
}

/** A bot in a room, for tests. */
export interface FakeBot {
  readonly listener: RoomListener;
  readonly request: JoinRequest;
  /** What the bot did beside audio and messages. */
  readonly actions: readonly (readonly unknown[])[];
  readonly closed: boolean;
}

export interface FakeRoomCaller extends FakeCaller {
  readonly identity: string;
  readonly room: string;
  readonly messages: readonly unknown[];
  sendMessage(message: unknown): void;
  sendRaw(data: string | Uint8Array): void;
}

interface Member {
  readonly info: LiveKitParticipant;
  joined(other: LiveKitParticipant, wasPresent: boolean): void;
  left(identity: string, reason: string | undefined): void;
  data(data: Uint8Array, from: string): void;
  audio(from: string, frame: AudioFrame): void;
  clear(): void;
  /** Removes the member from its room. */
  eject(reason: string): void;
}

/** LiveKit's limit, in bytes. */
const maxPacketBytes = 64_000;

/** The longest timer of Node. */
const maxTimerMs = 2 ** 31 - 1;

export function createFakeRooms(api: LiveKitApi): FakeRooms {
  const rooms = new Map<string, Map<string, Member>>();
  const bots = new Map<string, FakeBot[]>();
  const failures: (Error | "hang")[] = [];
  api.countParticipants = (name) => rooms.get(name)?.size ?? 0;
  /** The rooms that a caller has joined. */
  const hadCaller = new Set<string>();
  const idleTimers = new Map<string, NodeJS.Timeout>();
  api.onRoomCreated((name) => closeLater(name, api.timeouts.get(name)?.empty));
  api.onRoomClosed((name, reason) => {
    for (const member of [...membersOf(name).values()]) member.eject(reason);
    stayOpen(name);
    hadCaller.delete(name);
    rooms.delete(name);
  });

  /** As in LiveKit, agents do not keep a room open. */
  function closeLater(name: string, seconds = 0): void {
    stayOpen(name);
    const delayMs = Math.min(seconds * 1000, maxTimerMs);
    idleTimers.set(name, setTimeout(() => api.closeRoom(name), delayMs).unref());
  }

  function stayOpen(name: string): void {
    clearTimeout(idleTimers.get(name));
    idleTimers.delete(name);
  }

  function membersOf(name: string): Map<string, Member> {
    const members = rooms.get(name) ?? new Map<string, Member>();
    rooms.set(name, members);
    return members;
  }

  function admit(token: string): { readonly name: string; readonly info: LiveKitParticipant } {
    const claims = readToken(token);
    if (claims === undefined) throw new RunnerError("LIVEKIT_REFUSED", "LiveKit rejects the token: 401.");
    const { room } = claims.video as { readonly room: string };
    const limit = api.rooms.get(room);
    if (limit === undefined) throw new RunnerError("LIVEKIT_JOIN_FAILED", "LiveKit answers with status 404.");
    if (limit > 0 && membersOf(room).size >= limit) {
      throw new RunnerError("LIVEKIT_JOIN_FAILED", "LiveKit answers with status 500.");
    }
    const { sub = "", name = "", kind = "standard" } = claims as Readonly<Record<string, string>>;
    return { name: room, info: { identity: sub, name, metadata: "", attributes: {}, kind } };
  }

  const others = (room: string, identity: string) =>
    [...membersOf(room).values()].filter(({ info }) => info.identity !== identity);

  function add(room: string, member: Member): void {
    const members = membersOf(room);
    members.get(member.info.identity)?.eject("DUPLICATE_IDENTITY");
    for (const other of members.values()) {
      other.joined(member.info, false);
      member.joined(other.info, true);
    }
    members.set(member.info.identity, member);
    if (member.info.kind !== "agent") {
      hadCaller.add(room);
      stayOpen(room);
    }
  }

  function remove(room: string, member: Member, reason: string | undefined): void {
    const members = rooms.get(room);
    if (members?.get(member.info.identity) !== member) return;
    members.delete(member.info.identity);
    for (const other of members.values()) other.left(member.info.identity, reason);
    if (members.size === 0) rooms.delete(room);
    const isIdle = [...members.values()].every(({ info }) => info.kind === "agent");
    if (isIdle && hadCaller.has(room)) closeLater(room, api.timeouts.get(room)?.departure);
  }

  const client: LiveKitClient = {
    check: () => ({ state: "ready" }),
    async join(request, listener) {
      await new Promise((resolve) => setImmediate(resolve));
      const failure = failures.shift();
      if (failure === "hang") await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      if (request.signal.aborted) throw new RunnerError("CALL_ENDED", "The bot has left its room.");
      if (failure instanceof Error) throw failure;
      const { name, info } = admit(request.token);
      const actions: unknown[][] = [];
      const bot = { listener, request, actions, closed: false };
      const later = (notify: () => void) => setImmediate(() => !bot.closed && notify());
      const member: Member = {
        info,
        joined(other, wasPresent) {
          later(() => listener.participantJoined(other, wasPresent));
          // An agent does not receive the audio of other agents.
          if (other.kind !== "agent" || info.kind !== "agent") later(() => listener.heard());
        },
        left: (identity, reason) => later(() => listener.participantLeft(identity, reason)),
        data: (data, from) => later(() => listener.data(data, from)),
        audio(from, frame) {
          const isUnheard = membersOf(name).get(from)?.info.kind === "agent" && !request.hearsAgents;
          later(() => request.sampleRateIn !== undefined && !isUnheard && listener.audio(from, frame));
        },
        clear: () => undefined,
        eject(reason) {
          remove(name, member, undefined);
          bot.closed = true;
          listener.disconnected(reason);
        },
      };
      bots.set(name, [...(bots.get(name) ?? []), bot]);
      listener.joined(info);
      add(name, member);
      return {
        sendAudio(samples) {
          const frame = { samples: samples.slice(), sampleRate: request.sampleRateOut ?? 0, channels: 1 } as const;
          for (const other of others(name, info.identity)) other.audio(info.identity, frame);
        },
        clearAudio() {
          for (const other of others(name, info.identity)) other.clear();
        },
        async sendData(data, to) {
          if (bot.closed) throw new RunnerError("CALL_ENDED", "The bot has left its room.");
          if (data.length > maxPacketBytes) throw new RunnerError("MESSAGE_TOO_LARGE", "The message is too large.");
          for (const other of others(name, info.identity)) {
            if (to === undefined || to === other.info.identity) other.data(data, info.identity);
          }
        },
        sendDtmf: async (code, key) => void actions.push(["dtmf", code, key]),
        setMetadata: async (metadata) => void actions.push(["metadata", metadata]),
        setSubscribed: (identity, subscribed) => void actions.push(["subscribed", identity, subscribed]),
        async close() {
          bot.closed = true;
          remove(name, member, "CLIENT_INITIATED");
        },
      };
    },
  };

  return {
    client,
    get count() {
      return rooms.size;
    },
    bots: (room) => bots.get(room) ?? [],
    failJoin: (error) => void failures.push(error),
    async join(token) {
      const { name, info } = admit(token);
      const { identity } = info;
      const playout = createPlayout();
      const messages: unknown[] = [];
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      function leave(reason: string | undefined): void {
        remove(name, member, reason);
        playout.close();
        resolve();
      }
      const member: Member = {
        info,
        joined: () => undefined,
        left: () => undefined,
        data: (data) => void messages.push(JSON.parse(new TextDecoder().decode(data))),
        audio: (_, frame) => playout.enqueue(frame),
        clear: () => playout.clear(),
        eject: leave,
      };
      add(name, member);
      const send = (data: Uint8Array) => {
        for (const other of others(name, identity)) other.data(data, identity);
      };
      return {
        identity,
        room: name,
        sampleRate: 16_000,
        playout,
        messages,
        closed,
        sendAudio(frame) {
          for (const other of others(name, identity)) other.audio(identity, frame);
        },
        sendMessage: (message) => send(new TextEncoder().encode(JSON.stringify(message))),
        sendRaw: (data) => send(typeof data === "string" ? new TextEncoder().encode(data) : data),
        async hangUp() {
          leave("CLIENT_INITIATED");
        },
        drop: () => leave("SIGNAL_CLOSE"),
      };
    },
  };
}
