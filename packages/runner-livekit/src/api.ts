import { randomUUID } from "node:crypto";
import { createRestClient, type RestAnswer, RunnerError } from "@pipecat-ts/runner-core";
import { type ApiKey, createToken } from "./token.ts";

/** The part of LiveKit's room service that a runner needs. Methods reject with LIVEKIT_REFUSED or LIVEKIT_UNREACHABLE. */
export interface RoomService {
  /** Creates a room that LiveKit keeps for so long while only agents are in it. A room that exists keeps its settings. */
  createRoom(name: string, keepForMs: number): Promise<void>;
  /** Resolves also when the room does not exist. */
  deleteRoom(name: string): Promise<void>;
  /** The state of a room; `undefined` when it does not exist. */
  findRoom(name: string): Promise<{ readonly isFull: boolean } | undefined>;
  /** Resolves when the server accepts the API key and its secret. Creates nothing. */
  checkKey(): Promise<void>;
  /** Waits until `limitMs` for requests in progress. */
  close(limitMs: number): Promise<void>;
}

export interface RoomServiceOptions extends ApiKey {
  /** The URL of the server, with `ws`, `wss`, `http` or `https`. */
  readonly url: string;
  /** Duration of one attempt, in ms. Default 5,000. */
  readonly timeoutMs?: number;
  /** Pause before the second attempt, in ms. Default 500. */
  readonly retryDelayMs?: number;
  /** How often each request may be sent. Default 2. */
  readonly attempts?: number;
}

/** Lifetime of the tokens of requests. */
const tokenLifetimeMs = 60_000;

/** A client of the room service: JSON over Twirp. https://docs.livekit.io/reference/server/server-apis/ */
export function createRoomService(options: RoomServiceOptions): RoomService {
  const { url, key, secret, timeoutMs = 5_000, retryDelayMs = 500, attempts = 2 } = options;
  const base = url.replace(/^ws/, "http").replace(/\/+$/, "");
  const client = createRestClient({ vendor: "LiveKit", unreachable: "LIVEKIT_UNREACHABLE", timeoutMs, retryDelayMs });

  async function send(method: string, body: object, video: object, accepted: readonly number[] = []): Promise<unknown> {
    const token = createToken({ key, secret }, { video }, tokenLifetimeMs);
    const answer = await client.send({
      method: "POST",
      url: new URL(`${base}/twirp/livekit.RoomService/${method}`),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      attempts,
      // Room names are unique: a repeated request has no further effect.
      idempotent: true,
    });
    const result = parse(answer.body);
    // Another server may answer any request with a page.
    if ((answer.status === 200 && result !== undefined) || accepted.includes(answer.status)) return result;
    throw refused(method, answer);
  }

  return {
    async createRoom(name, keepForMs) {
      const seconds = Math.ceil(keepForMs / 1000);
      // From the creation until the first participant joins, and since the last one left. LiveKit counts no agents.
      const timeouts = { empty_timeout: seconds, departure_timeout: seconds };
      await send("CreateRoom", { name, ...timeouts }, { roomCreate: true });
    },
    async deleteRoom(name) {
      await send("DeleteRoom", { room: name }, { roomCreate: true }, [404]);
    },
    async findRoom(name) {
      const { rooms } = Object(await send("ListRooms", { names: [name] }, { roomList: true }));
      const [room] = Array.isArray(rooms) ? rooms : [];
      const { max_participants: limit = 0, num_participants: count = 0 } = Object(room);
      return room && { isFull: limit > 0 && count >= limit };
    },
    async checkKey() {
      // LiveKit verifies the token before it looks for the room, whose name nobody uses.
      await send("ListRooms", { names: [`pipecat-runner-${randomUUID()}`] }, { roomList: true });
    },
    close: (limitMs) => client.close(limitMs),
  };
}

/** What the server says about a request that it rejects. Its texts quote API keys and tokens, so they are left out. */
function refused(method: string, { status, body }: RestAnswer): RunnerError {
  const { code } = Object(parse(body)) as { readonly code?: unknown };
  const detail = typeof code === "string" ? `${status} ${code.slice(0, 50)}` : String(status);
  return new RunnerError("LIVEKIT_REFUSED", `LiveKit rejects ${method}: ${detail}.`, {
    status: 502,
    fix: refusalFix(status, typeof code === "string"),
  });
}

function refusalFix(status: number, isLiveKit: boolean): string {
  if (status === 401 || status === 403) return credentialsFix;
  if (!isLiveKit) return "Check LIVEKIT_URL: the server at this URL does not answer as LiveKit does.";
  return "Check the log of the LiveKit server.";
}

/** The `fix` of errors about a wrong key or secret. */
export const credentialsFix =
  "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and that the clock of this machine is right.";

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
