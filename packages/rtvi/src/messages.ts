import Type, { type TSchema } from "typebox";
import { Check, Errors } from "typebox/value";

/** The `label` of every RTVI message. Messages with another label, or without one, belong to the application. */
export const rtviLabel = "rtvi-ai";

/** The protocol version of this package, which is that of client-js 1.13. */
export const protocolVersion = "2.1.0";

/** An RTVI message in either direction. */
export interface RTVIMessage {
  readonly label: typeof rtviLabel;
  readonly type: string;
  /** Clients number all their messages. The bot's messages have an id only if they answer a client's message. */
  readonly id?: string;
  readonly data?: unknown;
}

/** A message from a client. client-js sends 8 hex digits as `id`; other clients may send any string. */
export interface ClientEnvelope extends RTVIMessage {
  readonly id: string;
  readonly data?: object | null;
}

const envelope = Type.Object({
  label: Type.Literal(rtviLabel),
  type: Type.String(),
  id: Type.String(),
  data: Type.Optional(Type.Union([Type.Object({}), Type.Null()])),
});

/** Whether an application message has RTVI's label. */
export function isRTVI(message: unknown): boolean {
  return typeof message === "object" && message !== null && "label" in message && message.label === rtviLabel;
}

/** Returns the message as an RTVI envelope, or undefined if it is malformed or not RTVI. */
export function recognizeEnvelope(message: unknown): ClientEnvelope | undefined {
  return isRTVI(message) && Check(envelope, message) ? (message as ClientEnvelope) : undefined;
}

/** Describes what is wrong with an RTVI envelope and names the field. Undefined if it is valid. */
export function envelopeProblem(message: unknown): string | undefined {
  return problemWith(envelope, message, "message");
}

/**
 * Describes why `value` does not match the schema. The text starts with `name` and the path of the field:
 * `data.content must be string`. Undefined if it matches.
 */
export function problemWith(schema: TSchema, value: unknown, name: string): string | undefined {
  if (Check(schema, value)) return undefined;
  const [error] = Errors(schema, value);
  return error && `${name}${error.instancePath.replaceAll("/", ".")} ${error.message}`;
}

/** Shortens untrusted text to 60 characters and replaces control characters, for use in answers and log lines. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return short.replaceAll(/\p{Cc}/gu, " ");
}
