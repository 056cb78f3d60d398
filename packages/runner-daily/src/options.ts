import type { OptionTable } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

/** The options of the Daily transport. */
export interface DailyOptions {
  readonly apiKey: string | undefined;
  readonly apiUrl: string;
  /** An existing room for all sessions except phone calls. */
  readonly roomUrl: string | undefined;
  /** Whether callers get the bot's token, which makes them owners, as in the Python runner. */
  readonly ownerToken: boolean;
  /** Whether rooms are deleted when their session ends. */
  readonly deleteRooms: boolean;
  /** Whether the runner accepts phone calls. */
  readonly dialin: boolean;
  /** The base64 secret with which Daily signs dial-in webhooks. */
  readonly pinlessHmacSecret: string | undefined;
  /** Whether dial-in webhooks are verified. */
  readonly verifySignatures: boolean;
  /** Whether phone calls are accepted without Chromium on this machine: for bots that join rooms on their own. */
  readonly dialinWithoutBrowser: boolean;
  /** The path of the browser. Default: the first installed Chromium. */
  readonly chromium: string | undefined;
  /** The URL of the folder with Daily's call machine. Default: Daily's servers. */
  readonly bundleUrl: string | undefined;
  /** In seconds. */
  readonly joinTimeout: number;
  /** In seconds; 0 waits until the room expires. */
  readonly emptyRoomTimeout: number;
}

/** `pattern` is a regular expression. It does not find every mistake, such as a port above 65,535. */
const webAddress = (example: string, pattern = "^https?://[^?#\\s]+$") =>
  Type.Refine(Type.String({ pattern, description: `a URL, like ${example}` }), (url) => URL.canParse(url));

/** Base64 of at least one byte, in both alphabets that `Buffer` accepts. */
const base64 = Type.String({ pattern: "^[A-Za-z0-9+/_-]{2,}={0,2}$", description: "base64 text" });

export const dailyOptions: OptionTable<DailyOptions> = {
  apiKey: {
    flag: "daily-api-key",
    env: "DAILY_API_KEY",
    description: "API key of your Daily account, from dashboard.daily.co/developers",
    schema: Type.String({ minLength: 1 }),
    placeholder: "key",
    secret: true,
  },
  apiUrl: {
    flag: "daily-api-url",
    env: "DAILY_API_URL",
    default: "https://api.daily.co/v1",
    description: "URL of Daily's REST API",
    schema: webAddress("https://api.daily.co/v1"),
    placeholder: "url",
  },
  roomUrl: {
    flag: "daily-room-url",
    env: ["DAILY_ROOM_URL", "DAILY_SAMPLE_ROOM_URL"],
    description: "Use this existing room for all sessions except phone calls, instead of creating one per session",
    schema: webAddress("https://you.daily.co/room", "^https?://[^/?#\\s]+/[A-Za-z0-9_-]+/?$"),
    placeholder: "url",
  },
  ownerToken: {
    flag: "daily-owner-token",
    env: "DAILY_OWNER_TOKEN",
    default: false,
    description: "Make callers owners of their room, as the Python runner does",
    schema: Type.Boolean(),
  },
  deleteRooms: {
    flag: "daily-delete-rooms",
    env: "DAILY_DELETE_ROOMS",
    default: false,
    description: "Delete each room when its session ends (otherwise it expires after 4 hours)",
    schema: Type.Boolean(),
  },
  dialin: {
    flag: "dialin",
    env: "DAILY_DIALIN",
    default: true,
    description: "Accept phone calls at POST /daily-dialin-webhook (default); --no-dialin rejects them",
    schema: Type.Boolean(),
  },
  pinlessHmacSecret: {
    flag: "daily-pinless-hmac-secret",
    env: ["DAILY_PINLESS_HMAC_SECRET", "PINLESS_HMAC_SECRET"],
    description: "Verify dial-in webhooks with this secret, and reject unsigned ones",
    schema: base64,
    placeholder: "base64",
    secret: true,
  },
  // The carriers declare the same flag.
  verifySignatures: {
    flag: "verify-signatures",
    default: true,
    description: "Reject calls that their carrier did not sign; --no-verify-signatures accepts them",
    schema: Type.Boolean(),
  },
  dialinWithoutBrowser: {
    flag: "daily-dialin-without-browser",
    env: "DAILY_DIALIN_WITHOUT_BROWSER",
    default: false,
    description: "Accept phone calls without Chromium, for bots that join rooms on their own",
    schema: Type.Boolean(),
  },
  chromium: {
    flag: "chromium",
    env: "PIPECAT_CHROMIUM",
    description: "Chromium that bots use to join rooms (default: the first installed one)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "path",
  },
  bundleUrl: {
    flag: "daily-bundle-url",
    env: "DAILY_BUNDLE_URL",
    description: "URL of the folder with Daily's call machine (default: Daily's servers)",
    schema: webAddress("https://mirror.example.com/daily"),
    placeholder: "url",
  },
  joinTimeout: {
    flag: "daily-join-timeout",
    env: "DAILY_JOIN_TIMEOUT",
    default: 30,
    description: "Seconds until joining a room times out",
    schema: Type.Number({ minimum: 1, maximum: 600 }),
    placeholder: "seconds",
  },
  emptyRoomTimeout: {
    flag: "daily-empty-room-timeout",
    env: "DAILY_EMPTY_ROOM_TIMEOUT",
    default: 300,
    description: "Seconds that a bot waits in its room for the first caller (0: until the room expires)",
    schema: Type.Number({ minimum: 0, maximum: 604_800 }),
    placeholder: "seconds",
  },
};
