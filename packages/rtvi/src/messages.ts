import Type, { type TSchema } from "typebox";
import { Check, Errors } from "typebox/value";

/** The `label` of every RTVI message; messages with another label, or none, belong to the application. */
export const rtviLabel = "rtvi-ai";

/** The version of the protocol spoken here, as client-js 1.13 speaks it. */
export const protocolVersion = "2.1.0";

/** A message of RTVI, either way. */
export interface RTVIMessage {
  readonly label: typeof rtviLabel;
  readonly type: string;
  /** Clients number all their messages; the bot's carry an id only where they answer one. */
  readonly id?: string;
  readonly data?: unknown;
}

/** A message from a client: 8 hex digits of `id` from client-js, any string from others. */
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

/** Whether a message from the application claims to be RTVI. */
export function isRTVI(message: unknown): boolean {
  return typeof message === "object" && message !== null && "label" in message && message.label === rtviLabel;
}

/** The RTVI message that `message` is; undefined when it is malformed, or of something else. */
export function recogniseEnvelope(message: unknown): ClientEnvelope | undefined {
  return isRTVI(message) && Check(envelope, message) ? (message as ClientEnvelope) : undefined;
}

/** What is wrong with an RTVI message as a whole, naming the field; undefined when nothing is. */
export function envelopeProblem(message: unknown): string | undefined {
  return problemWith(envelope, message, "message");
}

/** What is wrong with `value`, which the sender knows as `name`: `data.content must be string`. Undefined when nothing is. */
export function problemWith(schema: TSchema, value: unknown, name: string): string | undefined {
  if (Check(schema, value)) return undefined;
  const [error] = Errors(schema, value);
  return error && `${name}${error.instancePath.replaceAll("/", ".")} ${error.message}`;
}

/** A stranger's text, short and tame enough to be quoted in an answer or a log line. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return short.replaceAll(/\p{Cc}/gu, " ");
}
