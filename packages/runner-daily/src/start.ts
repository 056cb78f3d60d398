import { randomBytes } from "node:crypto";
import {
  type Call,
  type CallData,
  type HttpRoute,
  type OwnArguments,
  type RouteContext,
  type RunnerContext,
  RunnerError,
  type Session,
  type StartBody,
} from "@pipecat-ts/runner-core";
import type { DailyRest } from "./api.ts";
import type { DailyRunnerArguments } from "./arguments.ts";
import type { DailyClient } from "./client.ts";
import type { DailyOptions } from "./options.ts";
import { connectDaily } from "./port.ts";
import {
  type RoomProperties,
  requireRoomProperties,
  requireTokenProperties,
  type TokenProperties,
} from "./properties.ts";
import type { OwnCallerCheck } from "./room.ts";
import { createTokens, type PreparedRoom, prepareRoom, type RoomDeletions } from "./rooms.ts";
import { phoneCallIn } from "./webhook.ts";

/** Lifetime of rooms and tokens. */
const lifetimeMs = 4 * 3_600_000;

export interface StartOptions {
  /** `args.body`. */
  readonly body?: unknown;
  readonly roomProperties?: RoomProperties;
  readonly tokenProperties?: TokenProperties;
  /** A phone call. There is at most one session per `callId`. */
  readonly callData?: CallData;
  /** No other session uses the room. */
  readonly ownsRoom?: boolean;
}

/** What the runner keeps of a session whose room it deletes, in case that the session's process crashes. */
export interface CrashRecord {
  readonly room: string;
}

/** A session whose bot runs, and what its caller needs to join. */
export interface StartedSession {
  readonly session: Session;
  readonly roomUrl: string;
  readonly callerToken: string;
}

/**
 * Returns a function that runs the bot of a session in a room. It throws AT_CAPACITY, DRAINING or SESSION_NOT_PENDING. `requireRest` throws
 * DAILY_API_KEY_MISSING.
 */
export function createRoomRunner(
  { pacer }: RunnerContext,
  { joinTimeout, emptyRoomTimeout }: DailyOptions,
  client: DailyClient,
  requireRest: () => DailyRest,
): (session: Session, own: OwnArguments<DailyRunnerArguments>, isOwnCaller?: OwnCallerCheck) => void {
  return (session, own, isOwnCaller) => {
    const call: Call = session.run<DailyRunnerArguments>(own, (params) => {
      const phoneCall = phoneCallIn(session.body);
      const { roomUrl, token } = own;
      return connectDaily(call, {
        ...{ client, roomUrl, token, params, clock: pacer.clock, logger: session.logger },
        joinTimeoutMs: joinTimeout * 1000,
        emptyRoomTimeoutMs: emptyRoomTimeout * 1000,
        connectPhoneCall: phoneCall && ((sipUri) => requireRest().updatePinlessCall({ ...phoneCall, sipUri })),
        isOwnCaller,
        opened: (daily) => session.onEnd((_, deadline) => daily.close(deadline)),
      });
    });
  };
}

/**
 * Returns a function that creates a room and runs a bot in it. It rejects with DAILY_API_KEY_MISSING, DAILY_REFUSED,
 * DAILY_UNREACHABLE, AT_CAPACITY, DRAINING or SESSION_ALIAS_TAKEN; the session is ended and the new room deleted then.
 */
export function createSessionStarter(
  runner: RunnerContext,
  options: DailyOptions,
  client: DailyClient,
  requireRest: () => DailyRest,
  deletions: RoomDeletions,
): (start: StartOptions) => Promise<StartedSession> {
  const { roomUrl, ownerToken, deleteRooms } = options;
  const runInRoom = createRoomRunner(runner, options, client, requireRest);

  return async ({ body, roomProperties = {}, tokenProperties = {}, callData, ownsRoom = false }) => {
    const rest = requireRest();
    const session = runner.createSession({ body, reserve: true });
    const deleteRoom = ({ name }: PreparedRoom) => deletions.add(name, rest, session.logger);
    let created: PreparedRoom | undefined;
    try {
      if (callData) session.alias(callData.callId);
      const room = await prepareRoom(rest, { roomUrl, properties: roomProperties, lifetimeMs });
      if (room.created) created = room;
      if (created && deleteRooms) session.rememberForCrash({ room: created.name } satisfies CrashRecord);
      const isShared = !room.created && !ownsRoom;
      const callerId = isShared ? createCallerId() : undefined;
      const tokens = await createTokens(rest, room, {
        properties: tokenProperties,
        callerIsOwner: ownerToken,
        callerId,
      });
      const own = { roomUrl: room.url, token: tokens.bot, ...(callData && { callData }) };
      runInRoom(
        session,
        own,
        callerId === undefined ? undefined : createCallerCheck(tokenProperties.user_id ?? callerId),
      );
      if (created && deleteRooms) session.onEnd(() => deleteRoom(room));
      return { session, roomUrl: room.url, callerToken: tokens.caller };
    } catch (error) {
      if (created) deleteRoom(created);
      void session.end("transport-failed");
      throw error;
    }
  };
}

const callerIdPattern = /^pipecat-[0-9a-f]{16}$/;

/** The `user_id` of one caller. Daily allows 36 characters. */
function createCallerId(): string {
  return `pipecat-${randomBytes(8).toString("hex")}`;
}

/**
 * Recognizes the caller of one session in a room that sessions share. Others with a `user_id` of `createCallerId` are callers of other
 * sessions. The rest, such as a browser that joined without a token, may belong to any session: to this one if they joined after its bot.
 */
function createCallerCheck(callerId: unknown): OwnCallerCheck {
  return ({ info: { userId = "" } }, wasPresent) =>
    userId === callerId || !(wasPresent || callerIdPattern.test(userId));
}

/** Whether a start request without `transport` asks for a Daily room. */
export function claimsRoom(body: StartBody): boolean {
  return Boolean(body.createDailyRoom);
}

/**
 * Reads the Daily fields of a start request. Throws BODY_INVALID, DAILY_PROPERTY_INVALID and, when the request asks for no
 * room and `roomUrl` is not configured, DAILY_ROOM_MISSING; all with status 400.
 */
export function readRoomRequest(
  body: StartBody,
  roomUrl: string | undefined,
): Pick<StartOptions, "roomProperties" | "tokenProperties"> {
  const { createDailyRoom = false, dailyRoomProperties, dailyMeetingTokenProperties } = body;
  if (typeof createDailyRoom !== "boolean" && createDailyRoom !== null) {
    throw new RunnerError("BODY_INVALID", '"createDailyRoom" in the body must be true or false.');
  }
  const roomProperties = requireRoomProperties(dailyRoomProperties, "dailyRoomProperties");
  const tokenProperties = requireTokenProperties(dailyMeetingTokenProperties, "dailyMeetingTokenProperties");
  if (!createDailyRoom && roomUrl === undefined) {
    throw new RunnerError("DAILY_ROOM_MISSING", "The request does not create a room, and DAILY_ROOM_URL is not set.", {
      status: 400,
      fix: 'Send {"transport": "daily", "createDailyRoom": true}, or set DAILY_ROOM_URL.',
    });
  }
  if (roomUrl !== undefined && Object.keys(roomProperties).length > 0) {
    throw new RunnerError(
      "DAILY_PROPERTY_INVALID",
      '"dailyRoomProperties" cannot be applied: all sessions of this runner use the room in DAILY_ROOM_URL.',
      { status: 400, fix: "Remove them, or start the runner without DAILY_ROOM_URL." },
    );
  }
  return { roomProperties, tokenProperties };
}

/** `GET /daily`: starts a bot in a room and redirects the browser there. */
export function createRoomRoute(start: () => Promise<{ readonly roomUrl: string }>): HttpRoute {
  return {
    method: "GET",
    path: "/daily",
    access: "caller",
    summary: "Starts a bot in a room, and redirects there",
    async handle(ctx) {
      if (ctx.method === "HEAD") {
        // HEAD only checks that the route exists, and must not create a room that costs money.
        ctx.set("Allow", "GET");
        ctx.status = 405;
        return;
      }
      rejectEmbedding(ctx);
      ctx.redirect((await start()).roomUrl);
      ctx.status = 307;
    },
  };
}

/** Other sites may link here. If they loaded this URL as an image or in a frame, each of their visitors would start a bot. */
function rejectEmbedding(ctx: RouteContext): void {
  if (ctx.get("sec-fetch-site") !== "cross-site" || ctx.get("sec-fetch-dest") === "document") return;
  throw new RunnerError("ORIGIN_REFUSED", "A page of another site requested a room without navigating to it.", {
    fix: "Link to this URL instead.",
  });
}
