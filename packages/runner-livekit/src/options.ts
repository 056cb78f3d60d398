import type { OptionTable } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

/** The options of the LiveKit transport. */
export interface LiveKitOptions {
  /** The URL of the LiveKit server: `wss://…`, `ws://…` or the same with http. Bots and callers connect to it. */
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  readonly apiSecret: string | undefined;
  /** One room for all sessions. Default: a new room for each session. */
  readonly roomName: string | undefined;
  /** In seconds. */
  readonly joinTimeout: number;
  /** In seconds; 0 waits for as long as LiveKit keeps the room, which is a day, or 30 days for `roomName`. */
  readonly emptyRoomTimeout: number;
}

export const livekitOptions: OptionTable<LiveKitOptions> = {
  url: {
    flag: "livekit-url",
    env: "LIVEKIT_URL",
    description: "URL of the LiveKit server",
    schema: Type.Refine(
      Type.String({
        pattern: "^(wss?|https?)://[^/?#@\\s]+(/[^?#\\s]*)?$",
        description: "a URL, like wss://you.livekit.cloud or ws://localhost:7880",
      }),
      (url) => URL.canParse(url),
    ),
    placeholder: "url",
  },
  apiKey: {
    flag: "livekit-api-key",
    env: "LIVEKIT_API_KEY",
    description: "API key of the LiveKit server",
    schema: Type.String({ minLength: 1 }),
    placeholder: "key",
    secret: true,
  },
  apiSecret: {
    flag: "livekit-api-secret",
    env: "LIVEKIT_API_SECRET",
    description: "Secret of the LiveKit API key",
    schema: Type.String({ minLength: 1 }),
    placeholder: "secret",
    secret: true,
  },
  roomName: {
    flag: "livekit-room-name",
    env: "LIVEKIT_ROOM_NAME",
    description: "Use this room for all sessions instead of creating one per session",
    schema: Type.String({ minLength: 1, maxLength: 256 }),
    placeholder: "name",
  },
  joinTimeout: {
    flag: "livekit-join-timeout",
    env: "LIVEKIT_JOIN_TIMEOUT",
    default: 15,
    description: "Seconds until joining a room times out",
    schema: Type.Number({ minimum: 1, maximum: 600 }),
    placeholder: "seconds",
  },
  emptyRoomTimeout: {
    flag: "livekit-empty-room-timeout",
    env: "LIVEKIT_EMPTY_ROOM_TIMEOUT",
    default: 300,
    description: "Seconds that a bot waits in its room for the first caller (0: as long as LiveKit keeps the room)",
    schema: Type.Number({ minimum: 0, maximum: 604_800 }),
    placeholder: "seconds",
  },
};
