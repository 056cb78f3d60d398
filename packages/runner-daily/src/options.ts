import type { OptionTable } from "@pipecat-ts/runner-core";
import Type from "typebox";

/** How the Daily transport is set up. */
export interface DailyOptions {
  readonly apiKey: string | undefined;
  readonly apiUrl: string;
  /** A room that exists, for all sessions but dial-in. */
  readonly roomUrl: string | undefined;
  /** Whether the caller gets the bot's own token, an owner's, as with the Python runner. */
  readonly ownerToken: boolean;
  /** Whether rooms that this runner made are deleted when their session ends. */
  readonly deleteRooms: boolean;
  readonly dialin: boolean;
  /** The base64 secret that Daily signs dial-in webhooks with. */
  readonly pinlessHmacSecret: string | undefined;
  /** Whether dial-in webhooks are verified, by that secret. */
  readonly verifySignatures: boolean;
  /** Whether dial-in callers are taken although this machine cannot join the room: for bots that join by other means. */
  readonly dialinWithoutBrowser: boolean;
  /** The browser that joins rooms; looked for when it is not told. */
  readonly chromium: string | undefined;
  /** The folder that Daily's call machine is loaded from, in place of Daily's own servers. */
  readonly bundleUrl: string | undefined;
  /** In seconds. */
  readonly joinTimeout: number;
  /** In seconds; 0 waits for ever. */
  readonly emptyRoomTimeout: number;
}

const webAddress = (description: string) =>
  Type.String({ pattern: "^https?://[^?#\\s]+$", description: `a URL, like ${description}` });

/** Base64 of at least one byte, as `Buffer` reads it. */
const base64 = Type.String({ pattern: "^[A-Za-z0-9+/_-]{2,}={0,2}$", description: "base64 text" });

export const dailyOptions: OptionTable<DailyOptions> = {
  apiKey: {
    flag: "daily-api-key",
    env: "DAILY_API_KEY",
    description: "Key of the Daily account that makes the rooms: dashboard.daily.co/developers",
    schema: Type.String({ minLength: 1 }),
    placeholder: "key",
    secret: true,
  },
  apiUrl: {
    flag: "daily-api-url",
    env: "DAILY_API_URL",
    default: "https://api.daily.co/v1",
    description: "Where Daily's REST API is",
    schema: webAddress("https://api.daily.co/v1"),
    placeholder: "url",
  },
  roomUrl: {
    flag: "daily-room-url",
    env: ["DAILY_ROOM_URL", "DAILY_SAMPLE_ROOM_URL"],
    description: "A room that exists, for every session, in place of a new one for each",
    schema: Type.String({
      pattern: "^https?://[^/?#\\s]+/[A-Za-z0-9_-]+/?$",
      description: "a room's URL, like https://you.daily.co/room",
    }),
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
    description: "Delete the rooms made here when their session ends; otherwise they expire after 4 hours",
    schema: Type.Boolean(),
  },
  dialin: {
    flag: "dialin",
    env: "DAILY_DIALIN",
    default: true,
    description: "Take phone calls at POST /daily-dialin-webhook; --no-dialin does not",
    schema: Type.Boolean(),
  },
  pinlessHmacSecret: {
    flag: "daily-pinless-hmac-secret",
    env: ["DAILY_PINLESS_HMAC_SECRET", "PINLESS_HMAC_SECRET"],
    description: "Secret that Daily signs dial-in webhooks with; unsigned ones are then refused",
    schema: base64,
    placeholder: "base64",
    secret: true,
  },
  // The carriers' flag of this name means the same.
  verifySignatures: {
    flag: "verify-signatures",
    default: true,
    description: "Refuse calls that their carrier did not sign; --no-verify-signatures takes them",
    schema: Type.Boolean(),
  },
  dialinWithoutBrowser: {
    flag: "daily-dialin-without-browser",
    env: "DAILY_DIALIN_WITHOUT_BROWSER",
    default: false,
    description: "Take phone calls also where no Chromium is installed: for bots that join by themselves",
    schema: Type.Boolean(),
  },
  chromium: {
    flag: "chromium",
    env: "PIPECAT_CHROMIUM",
    description: "The Chromium that joins rooms (default: the first one that is installed)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "path",
  },
  bundleUrl: {
    flag: "daily-bundle-url",
    env: "DAILY_BUNDLE_URL",
    description: "Folder that Daily's call machine is loaded from (default: Daily's own servers)",
    schema: webAddress("https://mirror.example.com/daily"),
    placeholder: "url",
  },
  joinTimeout: {
    flag: "daily-join-timeout",
    env: "DAILY_JOIN_TIMEOUT",
    default: 30,
    description: "Seconds that joining a room may take",
    schema: Type.Number({ minimum: 1, maximum: 600 }),
    placeholder: "seconds",
  },
  emptyRoomTimeout: {
    flag: "daily-empty-room-timeout",
    env: "DAILY_EMPTY_ROOM_TIMEOUT",
    default: 300,
    description: "Seconds that a bot waits in its room for the first caller; 0 waits until the room expires",
    schema: Type.Number({ minimum: 0, maximum: 604_800 }),
    placeholder: "seconds",
  },
};
