import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, type OptionTable, RunnerError, resolveOptions, withTimeout } from "@pipecat-ts/runner-core";
import { createDailyRest, type DailyRest } from "./api.ts";
import { type DailyOptions, dailyOptions } from "./options.ts";
import {
  type RoomProperties,
  requireRoomProperties,
  requireTokenProperties,
  type TokenProperties,
} from "./properties.ts";

/** A room that bots and callers can join. */
export interface PreparedRoom {
  readonly name: string;
  readonly url: string;
  /** When the room and its tokens expire, in seconds since 1970. */
  readonly expiresAt: number;
  /** The SIP address for phone calls, when the room was created for them. */
  readonly sipUri?: string;
  /** True for a new room, false for an existing one. */
  readonly created: boolean;
}

/** Tokens for one room. */
export interface RoomTokens {
  /** An owner's token. */
  readonly bot: string;
  /** A guest's token, or an owner's when callers are owners. */
  readonly caller: string;
}

export interface RoomRequest {
  /** An existing room. Ignored for phone calls (`sip` in `properties`), which need a room of their own. */
  readonly roomUrl?: string | undefined;
  readonly properties?: RoomProperties;
  /** Lifetime of the room and its tokens, in ms. `exp` in `properties` overrides it. */
  readonly lifetimeMs: number;
}

/** Returns the existing room, or creates one. Names and default properties are those of the Python runner. */
export async function prepareRoom(rest: DailyRest, request: RoomRequest): Promise<PreparedRoom> {
  const { roomUrl, properties = {}, lifetimeMs } = request;
  const forPhones = Boolean(properties.sip);
  const expiresAt = properties.exp ?? Math.floor((Date.now() + lifetimeMs) / 1000);
  if (roomUrl !== undefined && !forPhones) {
    return { name: roomName(roomUrl), url: roomUrl, expiresAt, created: false };
  }
  const prefix = forPhones || properties.enable_dialout ? "pipecat-telephony" : "pipecat";
  const room = await rest.createRoom({
    name: `${prefix}-${randomBytes(4).toString("hex")}`,
    properties: {
      enable_chat: false,
      enable_prejoin_ui: false,
      enable_emoji_reactions: false,
      start_video_off: forPhones && !properties.sip?.video,
      eject_at_room_exp: true,
      ...properties,
      exp: expiresAt,
    },
  });
  const { name, url, config } = room;
  const endpoint = config.sip_uri?.endpoint;
  return { name, url, expiresAt, created: true, ...(endpoint !== undefined && { sipUri: sipUri(endpoint) }) };
}

/**
 * Creates tokens that expire with the room. `properties` cannot change room, expiry and owner. `callerId` is the caller's `user_id`,
 * unless `properties` has one.
 */
export async function createTokens(
  rest: DailyRest,
  { name, expiresAt }: Pick<PreparedRoom, "name" | "expiresAt">,
  {
    properties = {},
    callerIsOwner,
    callerId,
  }: {
    readonly properties?: TokenProperties;
    readonly callerIsOwner: boolean;
    readonly callerId?: string | undefined;
  },
): Promise<RoomTokens> {
  const create = (isOwner: boolean, userId?: string) =>
    rest.createToken({
      ...(userId !== undefined && { user_id: userId }),
      ...properties,
      room_name: name,
      exp: expiresAt,
      is_owner: isOwner,
      eject_at_token_exp: true,
    });
  const ownerToken = create(true);
  const isSameToken = callerIsOwner && callerId === undefined;
  const [bot, caller] = await Promise.all([ownerToken, isSameToken ? ownerToken : create(callerIsOwner, callerId)]);
  return { bot, caller };
}

/** The name of a room: `room` for `https://you.daily.co/room`. */
export function roomName(roomUrl: string): string {
  return new URL(roomUrl).pathname.replace(/^\/+|\/+$/g, "");
}

/** Daily's answers contain the scheme today; older ones did not. */
function sipUri(endpoint: string): string {
  return endpoint.startsWith("sip:") ? endpoint : `sip:${endpoint}`;
}

/** The result of `configureDaily`. */
export interface DailyConfiguration {
  readonly roomUrl: string;
  /** An owner's token, for the bot. */
  readonly token: string;
  /** A guest's token, for the caller. */
  readonly callerToken: string;
  /** The SIP address for phone calls, when `roomProperties` contains `sip`. */
  readonly sipUri?: string;
}

/** Options of `configureDaily`. */
export interface ConfigureDailyOptions {
  /** Default: `DAILY_API_KEY`. */
  readonly apiKey?: string;
  /** Default: `DAILY_API_URL`, else `https://api.daily.co/v1`. */
  readonly apiUrl?: string;
  /** An existing room. Default: `DAILY_ROOM_URL`, else a new room. */
  readonly roomUrl?: string;
  /** Lifetime of the room and its tokens, in ms. Default 2 hours. */
  readonly lifetimeMs?: number;
  /** https://docs.daily.co/reference/rest-api/rooms/config */
  readonly roomProperties?: Readonly<Record<string, unknown>>;
  /** https://docs.daily.co/reference/rest-api/meeting-tokens/config */
  readonly tokenProperties?: Readonly<Record<string, unknown>>;
}

type Account = Pick<DailyOptions, "apiKey" | "apiUrl" | "roomUrl">;

/**
 * Creates a Daily room and tokens for it, without a runner. Needs no browser.
 *
 * Rejects with DAILY_API_KEY_MISSING, DAILY_PROPERTY_INVALID, OPTION_INVALID, DAILY_REFUSED and DAILY_UNREACHABLE.
 */
export async function configureDaily(options: ConfigureDailyOptions = {}): Promise<DailyConfiguration> {
  const { lifetimeMs = 2 * 3_600_000 } = options;
  const table: OptionTable<Account> = dailyOptions;
  const account = resolveOptions<Account>(
    { apiKey: table.apiKey, apiUrl: table.apiUrl, roomUrl: table.roomUrl },
    { given: { apiKey: options.apiKey, apiUrl: options.apiUrl, roomUrl: options.roomUrl } },
  );
  const properties = requireRoomProperties(options.roomProperties, "roomProperties");
  const tokenProperties = requireTokenProperties(options.tokenProperties, "tokenProperties");
  const rest = createDailyRest({ apiKey: requireApiKey(account.apiKey), apiUrl: account.apiUrl });
  const room = await prepareRoom(rest, { roomUrl: account.roomUrl, properties, lifetimeMs });
  const tokens = await createTokens(rest, room, { properties: tokenProperties, callerIsOwner: false });
  return {
    roomUrl: room.url,
    token: tokens.bot,
    callerToken: tokens.caller,
    ...(room.sipUri !== undefined && { sipUri: room.sipUri }),
  };
}

/** The `fix` of errors about a missing API key. */
export const apiKeyFix =
  "Copy a key from https://dashboard.daily.co/developers and set DAILY_API_KEY or --daily-api-key.";

/** Throws DAILY_API_KEY_MISSING (400). */
export function requireApiKey(apiKey: string | undefined): string {
  if (apiKey !== undefined) return apiKey;
  throw new RunnerError("DAILY_API_KEY_MISSING", "Daily rooms require an API key, and none is set.", {
    status: 400,
    fix: apiKeyFix,
  });
}

/** Deletes rooms in order, at Daily's rate limit of two per second. */
export interface RoomDeletions {
  /** Queues a room for deletion. A failure is logged with `logger`; the room then expires on its own. */
  add(room: string, rest: Pick<DailyRest, "deleteRoom">, logger: Logger): void;
  /** Resolves when the queue is empty, or when `limit` aborts. Logs how many rooms are left then, except for one whose deletion runs. */
  close(limit: AbortSignal): Promise<void>;
}

interface Deletion {
  readonly room: string;
  readonly rest: Pick<DailyRest, "deleteRoom">;
  readonly logger: Logger;
}

/** From an answer to the next request, so that network delays never bring two requests closer together. */
const pauseMs = 500;

export function createRoomDeletions(logger: Logger): RoomDeletions {
  const queue: Deletion[] = [];
  let running: Promise<void> | undefined;
  let nextAtMs = 0;
  const untilNext = () => nextAtMs - performance.now();

  async function run(): Promise<void> {
    for (let next = queue[0]; next; next = queue[0]) {
      // A timer may fire up to 1 ms early, because Node counts whole milliseconds.
      for (let waitMs = untilNext(); waitMs > 0; waitMs = untilNext()) await sleep(Math.ceil(waitMs));
      // `close` may have emptied the queue meanwhile.
      if (queue[0] !== next) continue;
      queue.shift();
      await deleteRoom(next);
      nextAtMs = performance.now() + pauseMs;
    }
    running = undefined;
  }

  return {
    add(room, rest, roomLogger) {
      queue.push({ room, rest, logger: roomLogger });
      running ??= run();
    },
    async close(limit) {
      if (running) await withTimeout(running, limit);
      const rooms = queue.splice(0).length;
      if (rooms > 0) logger.warn({ rooms }, "rooms not deleted before shutdown: they expire on their own");
    },
  };
}

async function deleteRoom({ room, rest, logger }: Deletion): Promise<void> {
  try {
    await rest.deleteRoom(room);
  } catch (err) {
    logger.warn({ err }, "room not deleted: it expires on its own");
  }
}
