import { randomBytes } from "node:crypto";
import { type Call, type MediaPort, type RunnerContext, RunnerError, type Session } from "@pipecat-ts/runner-core";
import type { RoomService } from "./api.ts";
import type { LiveKitParams, LiveKitRunnerArguments } from "./arguments.ts";
import type { LiveKitClient } from "./client.ts";
import type { LiveKitOptions } from "./options.ts";
import { connectLiveKit } from "./port.ts";
import type { OwnCallerCheck } from "./room.ts";
import { type ApiKey, createToken } from "./token.ts";

/** An account on a LiveKit server. */
export interface Account extends ApiKey {
  readonly url: string;
}

/** How long callers and bots may join with their tokens. LiveKit renews the token of a participant who is in the room. */
const tokenLifetimeMs = 3_600_000;

/** The identities that `startSession` gives to callers. */
const callerPattern = /^User-[0-9a-f]{8}$/;

const dayMs = 86_400_000;
/**
 * How long LiveKit keeps the shared room after its last caller left. A session may start at any time of this period, and its bot then
 * waits for the rest of it: the period is longer than the longest wait of a bot (24 days).
 */
const sharedRoomMs = 30 * dayMs;
/** How much longer than its bot waits for a caller LiveKit keeps a room, in ms: until the bot runs, and for slow clocks. */
const spareMs = 60_000;

/** A session whose bot runs, and the token of its caller. */
export interface StartedSession {
  readonly session: Session;
  readonly callerToken: string;
}

/**
 * Creates a room and runs a bot in it. Rejects with LIVEKIT_REFUSED, LIVEKIT_UNREACHABLE, LIVEKIT_ROOM_FULL, AT_CAPACITY or DRAINING; the session is
 * ended and the new room deleted then. The room of `roomName` is shared by all sessions and is not deleted.
 */
export async function startSession(
  runner: RunnerContext,
  options: LiveKitOptions,
  {
    account,
    client,
    rooms,
  }: { readonly account: Account; readonly client: LiveKitClient; readonly rooms: RoomService },
  body: unknown,
): Promise<StartedSession> {
  const session = runner.createSession({ body, reserve: true });
  const roomName = options.roomName ?? `pipecat-${randomBytes(4).toString("hex")}`;
  try {
    if (options.roomName === undefined) {
      await rooms.createRoom(roomName, roomLifetimeMs(options));
      session.rememberForCrash({ room: roomName } satisfies CrashRecord);
      // Not awaited: LiveKit may not answer, and `RoomService.close` waits for it.
      session.onEnd(() => void deleteRoom(rooms, roomName, session));
    } else await prepareSharedRoom(rooms, roomName);
    // Names as in the Python runner. LiveKit removes a participant when another one with its identity joins. Not a part of the session id:
    // all ids of a gateway begin alike.
    const suffix = randomBytes(4).toString("hex");
    const token = createToken(account, botGrants(roomName, `Pipecat Agent-${suffix}`), tokenLifetimeMs);
    const callerIdentity = `User-${suffix}`;
    const callerGrants = { identity: callerIdentity, video: { room: roomName, roomJoin: true } };
    const callerToken = createToken(account, callerGrants, tokenLifetimeMs);
    const call: Call = session.run<LiveKitRunnerArguments>({ url: account.url, roomName, token }, (params) =>
      connect(params),
    );
    return { session, callerToken };

    async function connect(params: LiveKitParams): Promise<MediaPort> {
      const leaving = new AbortController();
      session.onEnd(() => leaving.abort());
      return await connectLiveKit(call, {
        client,
        url: account.url,
        token,
        params,
        clock: runner.pacer.clock,
        logger: session.logger,
        joinTimeoutMs: options.joinTimeout * 1000,
        emptyRoomTimeoutMs: options.emptyRoomTimeout * 1000,
        signal: leaving.signal,
        ...(options.roomName !== undefined && { isOwnCaller: createCallerCheck(callerIdentity) }),
      });
    }
  } catch (error) {
    void session.end("transport-failed");
    throw error;
  }
}

/**
 * Recognizes the caller of one session in a room that sessions share. Callers of other sessions have tokens of a runner too. Others,
 * such as phones, may belong to any session: to this one if they joined after its bot.
 */
function createCallerCheck(callerIdentity: string): OwnCallerCheck {
  return ({ identity }, wasPresent) => identity === callerIdentity || !(wasPresent || callerPattern.test(identity));
}

/** Creates the room unless it exists, with settings that may be the operator's. LiveKit admits a bot to a full room, but no caller. */
async function prepareSharedRoom(rooms: RoomService, name: string): Promise<void> {
  const room = await rooms.findRoom(name);
  if (room?.isFull) throw roomFull();
  if (room === undefined) await rooms.createRoom(name, sharedRoomMs);
}

/** How long LiveKit keeps the room of one session while no caller is in it. LiveKit always has a limit. */
function roomLifetimeMs({ emptyRoomTimeout, joinTimeout }: LiveKitOptions): number {
  if (emptyRoomTimeout === 0) return dayMs;
  return (emptyRoomTimeout + joinTimeout) * 1000 + spareMs;
}

function botGrants(room: string, identity: string) {
  return { identity, kind: "agent", video: { room, roomJoin: true, agent: true, canUpdateOwnMetadata: true } } as const;
}

/** What the runner keeps of a session whose room it created, in case that the session's process crashes. */
export interface CrashRecord {
  readonly room: string;
}

/** Never rejects. */
export async function deleteRoom(
  rooms: RoomService,
  name: string,
  { logger }: Pick<RunnerContext, "logger">,
): Promise<void> {
  try {
    await rooms.deleteRoom(name);
  } catch (err) {
    logger.warn({ err }, "room not deleted: LiveKit deletes it when it has been empty for a while");
  }
}

function roomFull(): RunnerError {
  return new RunnerError("LIVEKIT_ROOM_FULL", "The caller could not join: the room in LIVEKIT_ROOM_NAME is full.", {
    status: 503,
    fix: "Raise the room's maximum number of participants, or start the runner without LIVEKIT_ROOM_NAME.",
  });
}
