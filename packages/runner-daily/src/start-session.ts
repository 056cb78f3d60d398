import type { CallData, Connect, RunnerContext, Session } from "@pipecat-ts/runner-core";
import type { DailyRunnerArguments } from "./arguments.ts";
import type { DailyOptions } from "./options.ts";
import { requireApiKey } from "./rooms/configure.ts";
import { createTokens, type PreparedRoom, prepareRoom } from "./rooms/prepare-room.ts";
import type { RoomProperties, TokenProperties } from "./rooms/properties.ts";
import { createDailyRest, type DailyRest } from "./rooms/rest.ts";
import type { RoomDeletions } from "./rooms/room-deletions.ts";

/** How long rooms and tokens live. */
export const lifetimeMs: number = 4 * 3_600_000;

/** What a session is started with. */
export interface SessionWish {
  /** `args.body`. */
  readonly body?: unknown;
  readonly roomProperties?: RoomProperties;
  readonly tokenProperties?: TokenProperties;
  /** A phone call, whose id may have one session only. */
  readonly callData?: CallData;
}

/** A session whose bot runs, and what its caller needs. */
export interface StartedSession {
  readonly session: Session;
  readonly roomUrl: string;
  readonly callerToken: string;
}

/** Makes the transport of one session; `rest` is the account its room belongs to. */
export type ConnectRoom = (session: Session, room: PreparedRoom, token: string, rest: DailyRest) => Connect;

/**
 * Makes a room and runs a bot in it, which waits there for its caller. Rejects with DAILY_API_KEY_MISSING, DAILY_REFUSED,
 * DAILY_UNREACHABLE, AT_CAPACITY, DRAINING and SESSION_ALIAS_TAKEN; then no session is left, and no room that was made.
 */
export function createSessionStarter(
  runner: RunnerContext,
  options: DailyOptions,
  connect: ConnectRoom,
  deletions: RoomDeletions,
): (wish: SessionWish) => Promise<StartedSession> {
  const { apiUrl, roomUrl, ownerToken, deleteRooms } = options;

  return async ({ body, roomProperties = {}, tokenProperties = {}, callData }) => {
    const rest = createDailyRest({ apiKey: requireApiKey(options.apiKey), apiUrl });
    const session = runner.createSession({ body });
    const deleteRoom = ({ name }: PreparedRoom) => deletions.add(name, rest, session.logger);
    let room: PreparedRoom | undefined;
    try {
      if (callData) session.alias(callData.callId);
      const made = await prepareRoom(rest, { roomUrl, properties: roomProperties, lifetimeMs });
      room = made;
      const tokens = await createTokens(rest, room, { properties: tokenProperties, callerIsOwner: ownerToken });
      session.run<DailyRunnerArguments>(
        { transport: "daily", roomUrl: room.url, token: tokens.bot, ...(callData && { callData }) },
        connect(session, room, tokens.bot, rest),
      );
      if (room.created && deleteRooms) session.own(() => deleteRoom(made));
      return { session, roomUrl: room.url, callerToken: tokens.caller };
    } catch (error) {
      // Nobody else knows of it.
      if (room?.created) deleteRoom(room);
      void session.end("transport-failed");
      throw error;
    }
  };
}
