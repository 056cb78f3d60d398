import type { WireEvent } from "@pipecat-ts/runner-host";
import * as Type from "typebox";
import { Check } from "typebox/value";

/**
 * A capture is a file of JSON lines: a header, and then the events of one call in the order in which they were reported. A request is
 * reported at its end. The last line is the state `ended`; a file without it is incomplete.
 */
export const captureFormat = "pipecat-runner capture";
/** Readers reject newer versions. */
export const captureVersion = 1;
/** Largest file, in bytes. Readers load all of it. */
export const maxFileBytes: number = 256 * 1024 * 1024;

/** The first line. */
export interface CaptureHeader {
  readonly format: typeof captureFormat;
  readonly version: number;
  /** The id of the session. */
  readonly session: string;
  /** `args.transport` of the bot. */
  readonly transport: string;
  /** The transport that took the call. */
  readonly plugin: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Whether the file contains audio and pictures. */
  readonly media: boolean;
}

/** A message on a WebSocket: text, bytes, or the size of audio or pictures that are not in the file. */
export type CapturedMessage = Pick<Extract<WireEvent, { type: "message" }>, "type" | "socket" | "from"> & {
  readonly text?: string;
  readonly base64?: string;
  readonly mediaBytes?: number;
};

/** One line after the header. `t` is in ms since the first event. */
export type CaptureEvent = { readonly t: number } & (Exclude<WireEvent, { type: "message" }> | CapturedMessage);

const name = Type.String({ maxLength: 256 });
const text = Type.String({ maxLength: maxFileBytes });
/** Not an address of another host: a replay sends requests to its own runner only. */
const path = Type.String({ maxLength: maxFileBytes, pattern: "^/(?![/\\\\])" });
const optionalText = Type.Optional(text);
const from = Type.Union([Type.Literal("caller"), Type.Literal("bot")]);
const socket = Type.Integer({ minimum: 1 });
/** In ms: about 23 days. Node's timers cannot wait longer than 2 ** 31. */
const duration = Type.Number({ minimum: 0, maximum: 2_000_000_000 });
const time = Type.Object({ t: duration });

const header = Type.Object({
  format: Type.Literal(captureFormat),
  version: Type.Integer({ minimum: 1 }),
  session: name,
  transport: name,
  plugin: name,
  startedAt: name,
  media: Type.Boolean(),
});

const events: Readonly<Record<string, Type.TSchema>> = {
  state: Type.Union([
    Type.Object({ state: Type.Union([Type.Literal("pending"), Type.Literal("connected")]) }),
    Type.Object({
      state: Type.Literal("active"),
      callData: Type.Optional(Type.Object({})),
      body: Type.Optional(Type.Unknown()),
    }),
    Type.Object({ state: Type.Literal("ended"), reason: name }),
  ]),
  http: Type.Object({
    ...{ method: name, url: path, contentType: optionalText, body: optionalText },
    ...{ status: Type.Integer(), replyType: optionalText, reply: optionalText, durationMs: duration },
  }),
  open: Type.Object({ socket, url: path }),
  message: Type.Object({
    ...{ socket, from, text: optionalText, base64: optionalText, mediaBytes: Type.Optional(Type.Integer()) },
  }),
  close: Type.Object({ socket, by: from, code: Type.Integer(), reason: text }),
  app: Type.Object({ from, message: Type.Unknown() }),
  key: Type.Object({ key: name }),
};

export function isHeader(value: unknown): value is CaptureHeader {
  return Check(header, value);
}

export function isEvent(value: unknown): value is CaptureEvent {
  const { type } = Object(value) as { readonly type?: unknown };
  const schema = typeof type === "string" && Object.hasOwn(events, type) ? events[type] : undefined;
  return schema !== undefined && Check(time, value) && Check(schema, value);
}
