import type { CallData, Connect, RunnerContext, Session } from "@pipecat-ts/runner-core";
import type { DailyRunnerArguments } from "./arguments.ts";
import type { DailyOptions } from "./options.ts";
import { requireApiKey } from "./rooms/configure.ts";
import { createTokens, type PreparedRoom, prepareRoom } from "./rooms/prepare-room.ts";
import type { RoomProperties, TokenProperties } from "./rooms/properties.ts";
import { createDailyRest, type DailyRest } from "./rooms/rest.ts";

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

/** Makes the transport of one session; `rest` is the account its room belongs to, `body` what its bot gets. */
export type ConnectRoom = (
  session: Session,
  room: PreparedRoom,
  token: string,
  rest: DailyRest,
  body: unknown,
) => Connect;

/**
 * Makes a room and runs a bot in it, which waits there for its caller. Rejects with DAILY_API_KEY_MISSING, DAILY_REFUSED,
 * DAILY_UNREACHABLE, AT_CAPACITY, DRAINING and SESSION_ALIAS_TAKEN; then no session is left.
 */
export function createSessionStarter(
  runner: RunnerContext,
  options: DailyOptions,
  connect: ConnectRoom,
): (wish: SessionWish) => Promise<StartedSession> {
  const { apiUrl, roomUrl, ownerToken, deleteRooms } = options;

  return async ({ body, roomProperties = {}, tokenProperties = {}, callData }) => {
    const rest = createDailyRest({ apiKey: requireApiKey(options.apiKey), apiUrl });
    const session = runner.createSession({ body });
    try {
      if (callData) session.alias(callData.callId);
      const room = await prepareRoom(rest, { roomUrl, properties: roomProperties, lifetimeMs });
      if (room.created && deleteRooms) session.own(() => deleteRoom(rest, room, session));
      const tokens = await createTokens(rest, room, { properties: tokenProperties, callerIsOwner: ownerToken });
      session.run<DailyRunnerArguments>(
        { transport: "daily", roomUrl: room.url, token: tokens.bot, ...(callData && { callData }) },
        connect(session, room, tokens.bot, rest, body),
      );
      return { session, roomUrl: room.url, callerToken: tokens.caller };
    } catch (error) {
      void session.end("transport-failed");
      throw error;
    }
  };
}

async function deleteRoom(rest: DailyRest, { name }: PreparedRoom, { logger }: Session): Promise<void> {
  try {
    await rest.deleteRoom(name);
  } catch (err) {
    logger.warn({ err }, "The room could not be deleted: it expires by itself.");
  }
}
