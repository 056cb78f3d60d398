import { RunnerError } from "@pipecat-ts/runner-core";
import type { TSchema } from "typebox";
import * as Type from "typebox";
import { Check, Errors } from "typebox/value";

const flag = Type.Optional(Type.Boolean());
/** Names, regions, languages and URLs. */
const anyText = Type.String({ maxLength: 2_048 });
const text = Type.Optional(anyText);
const count = Type.Optional(Type.Integer({ minimum: 0 }));
/** Seconds since 1970. Fractions are rounded down, because Daily accepts whole numbers only. */
const time = Type.Optional(Type.Number({ minimum: 0 }));
const record = Type.Record(Type.String(), Type.Unknown(), { maxProperties: 100 });
const table = Type.Optional(record);
const bucket = Type.Optional(Type.Union([record, Type.Boolean(), Type.Null()]));

const sip = Type.Optional(
  Type.Union([
    Type.Object({
      display_name: Type.Optional(Type.String({ maxLength: 199 })),
      video: flag,
      sip_mode: text,
      num_endpoints: Type.Optional(Type.Integer({ minimum: 1 })),
      codecs: table,
      provider: text,
    }),
    Type.Null(),
  ]),
);

/** The properties whose type is known. Daily checks the others. https://docs.daily.co/reference/rest-api/rooms/config */
const roomSchema = Type.Object({
  nbf: time,
  exp: time,
  max_participants: count,
  eject_at_room_exp: flag,
  eject_after_elapsed: count,
  enable_people_ui: flag,
  enable_pip_ui: flag,
  enable_emoji_reactions: flag,
  enable_hand_raising: flag,
  enable_prejoin_ui: flag,
  enable_network_ui: flag,
  enable_noise_cancellation_ui: flag,
  enable_breakout_rooms: flag,
  enable_knocking: flag,
  enable_screenshare: flag,
  enable_video_processing_ui: flag,
  enable_chat: flag,
  enable_advanced_chat: flag,
  enable_hidden_participants: flag,
  enable_mesh_sfu: flag,
  enable_dialout: flag,
  enable_transcription_storage: flag,
  enforce_unique_user_ids: flag,
  start_video_off: flag,
  start_audio_off: flag,
  owner_only_broadcast: flag,
  enable_recording: Type.Optional(Type.Union([anyText, Type.Null()])),
  recordings_bucket: bucket,
  transcription_bucket: bucket,
  geo: Type.Optional(Type.Union([anyText, Type.Null()])),
  lang: text,
  permissions: table,
  sip,
});

/** https://docs.daily.co/reference/rest-api/meeting-tokens/config */
const tokenSchema = Type.Object({
  room_name: text,
  nbf: time,
  exp: time,
  is_owner: flag,
  eject_at_token_exp: flag,
  eject_after_elapsed: count,
  user_name: text,
  user_id: Type.Optional(Type.String({ maxLength: 36 })),
  enable_screenshare: flag,
  enable_prejoin_ui: flag,
  enable_recording: Type.Optional(Type.Union([anyText, Type.Null()])),
  start_video_off: flag,
  start_audio_off: flag,
  start_cloud_recording: flag,
  start_cloud_recording_opts: table,
  auto_start_transcription: flag,
  close_tab_on_exit: flag,
  redirect_on_meeting_exit: text,
  lang: text,
  permissions: table,
});

/** The properties of a room. Unlisted properties are passed to Daily unchanged. */
export interface RoomProperties {
  /** When the room expires, in seconds since 1970. */
  readonly exp?: number;
  readonly enable_dialout?: boolean;
  /** Settings for phone calls into the room. */
  readonly sip?: {
    readonly display_name?: string;
    readonly video?: boolean;
    readonly sip_mode?: string;
    readonly num_endpoints?: number;
  } | null;
  readonly [property: string]: unknown;
}

/** The properties of a meeting token. Unlisted properties are passed to Daily unchanged. */
export interface TokenProperties {
  readonly room_name?: string;
  /** When the token expires, in seconds since 1970. */
  readonly exp?: number;
  readonly is_owner?: boolean;
  readonly [property: string]: unknown;
}

/** Validates room properties. `field` is their name in the request, for the error DAILY_PROPERTY_INVALID (400). */
export function requireRoomProperties(value: unknown, field: string): RoomProperties {
  return requireProperties<RoomProperties>(roomSchema, value, field);
}

/** Validates token properties. `field` is their name in the request, for the error DAILY_PROPERTY_INVALID (400). */
export function requireTokenProperties(value: unknown, field: string): TokenProperties {
  return requireProperties<TokenProperties>(tokenSchema, value, field);
}

function requireProperties<Properties extends RoomProperties | TokenProperties>(
  schema: TSchema,
  value: unknown,
  field: string,
): Properties {
  if (value === undefined || value === null) return {} as Properties;
  if (Array.isArray(value) || !Check(schema, value)) throw invalid(schema, value, field);
  const properties: Record<string, unknown> = { ...(value as object) };
  for (const name of ["exp", "nbf"]) {
    const seconds = properties[name];
    if (typeof seconds === "number") properties[name] = Math.floor(seconds);
  }
  return properties as Properties;
}

function invalid(schema: TSchema, value: unknown, field: string): RunnerError {
  const [first] = Array.isArray(value) ? [] : Errors(schema, value);
  const name = [field, ...(first?.instancePath ?? "").split("/").slice(1)].join(".");
  return new RunnerError("DAILY_PROPERTY_INVALID", `"${name}" ${first?.message ?? "must be an object"}.`, {
    status: 400,
    fix: "See https://docs.daily.co/reference/rest-api/rooms/config for the allowed values.",
  });
}
