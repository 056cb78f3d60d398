import { type OptionTable, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { type DailyOptions, dailyOptions } from "../options.ts";
import { createTokens, prepareRoom } from "./prepare-room.ts";
import { requireRoomProperties, requireTokenProperties } from "./properties.ts";
import { createDailyRest } from "./rest.ts";

/** What `configureDaily` makes. */
export interface DailyConfiguration {
  readonly roomUrl: string;
  /** An owner's token for the bot. */
  readonly token: string;
  /** A guest's token for whoever the bot is to talk to. */
  readonly callerToken: string;
  /** Where phone calls are sent to, for a room with `sip` among its properties. */
  readonly sipUri?: string;
}

export interface ConfigureDailyOptions {
  /** Default: `DAILY_API_KEY`. */
  readonly apiKey?: string;
  /** Default: `DAILY_API_URL`, else Daily's own. */
  readonly apiUrl?: string;
  /** A room that exists. Default: `DAILY_ROOM_URL`, else one is made. */
  readonly roomUrl?: string;
  /** How long room and tokens live, in ms. Default 2 hours. */
  readonly lifetimeMs?: number;
  /** https://docs.daily.co/reference/rest-api/rooms/config */
  readonly roomProperties?: Readonly<Record<string, unknown>>;
  /** https://docs.daily.co/reference/rest-api/meeting-tokens/config */
  readonly tokenProperties?: Readonly<Record<string, unknown>>;
}

type Account = Pick<DailyOptions, "apiKey" | "apiUrl" | "roomUrl">;

/**
 * A Daily room and tokens for it, for bots and servers that need no runner. Needs nothing but the network.
 *
 * Rejects with DAILY_API_KEY_MISSING, DAILY_PROPERTY_INVALID, OPTION_INVALID, and with the `DailyError`s DAILY_REFUSED and
 * DAILY_UNREACHABLE.
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

/** Where a key comes from, for whoever lacks one. */
export const apiKeyFix =
  "Copy one from https://dashboard.daily.co/developers and set DAILY_API_KEY, or give --daily-api-key.";

/** The key. Throws DAILY_API_KEY_MISSING, 400, which says where to get one. */
export function requireApiKey(apiKey: string | undefined): string {
  if (apiKey !== undefined) return apiKey;
  throw new RunnerError("DAILY_API_KEY_MISSING", "Daily rooms need an API key, and none is set.", {
    status: 400,
    fix: apiKeyFix,
  });
}
