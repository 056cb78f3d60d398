import { randomBytes } from "node:crypto";
import type { RoomProperties, TokenProperties } from "./properties.ts";
import type { DailyRest } from "./rest.ts";

/** A room, ready to be joined. */
export interface PreparedRoom {
  readonly name: string;
  readonly url: string;
  /** Seconds since 1970 at which it ends; that of its tokens, too. */
  readonly expiresAt: number;
  /** Where phone calls are sent to; only of rooms that were made for them. */
  readonly sipUri?: string;
  /** Whether it was made for this, and is nobody else's. */
  readonly created: boolean;
}

/** Tokens for one room. */
export interface RoomTokens {
  /** An owner's. */
  readonly bot: string;
  /** A guest's, or the bot's own where callers are to be owners. */
  readonly caller: string;
}

export interface RoomWish {
  /** A room that exists. Phone calls need one of their own, so that it does not count where `sip` is asked for. */
  readonly roomUrl?: string | undefined;
  readonly properties?: RoomProperties;
  /** How long room and tokens live, in ms. `exp` of `properties` comes before it. */
  readonly lifetimeMs: number;
}

/** Finds the room that exists or makes one. Its name and what nobody asked for are those of the Python runner. */
export async function prepareRoom(rest: DailyRest, wish: RoomWish): Promise<PreparedRoom> {
  const { roomUrl, properties = {}, lifetimeMs } = wish;
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

/** Tokens that end with the room. Room, expiry and owner are not for `properties` to say. */
export async function createTokens(
  rest: DailyRest,
  { name, expiresAt }: Pick<PreparedRoom, "name" | "expiresAt">,
  { properties = {}, callerIsOwner }: { readonly properties?: TokenProperties; readonly callerIsOwner: boolean },
): Promise<RoomTokens> {
  const create = (isOwner: boolean) =>
    rest.createToken({
      ...properties,
      room_name: name,
      exp: expiresAt,
      is_owner: isOwner,
      eject_at_token_exp: true,
    });
  const bot = create(true);
  const [ofBot, ofCaller] = await Promise.all([bot, callerIsOwner ? bot : create(false)]);
  return { bot: ofBot, caller: ofCaller };
}

/** `https://you.daily.co/room` is `room`. */
export function roomName(roomUrl: string): string {
  return new URL(roomUrl).pathname.replace(/^\/+|\/+$/g, "");
}

/** Daily gives addresses with their scheme today, and gave them without. */
function sipUri(endpoint: string): string {
  return endpoint.startsWith("sip:") ? endpoint : `sip:${endpoint}`;
}
