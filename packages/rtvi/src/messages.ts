import type { TSchema, TString } from "typebox";
import * as Type from "typebox";
import { Check, Errors } from "typebox/value";

/** The `label` of every RTVI message. Messages with another label, or without one, belong to the application. */
export const rtviLabel = "rtvi-ai";

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

/** A message as it arrived. */
export interface ReceivedMessage extends ClientEnvelope {
  /** The participant who sent it, if several share the call. */
  readonly sender: string | undefined;
}

/** Names and ids. client-js sends ids of 8 characters, and language models use ids of 30 to 60. */
export const shortText: TString = Type.String({ maxLength: 1_000 });
/** Text that a user wrote or sees. The runner's transports take messages of at most 1 MiB. */
export const longText: TString = Type.String({ maxLength: 1_000_000 });

const envelope = Type.Object({
  label: Type.Literal(rtviLabel),
  type: shortText,
  id: shortText,
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
  const tooLarge = sizeProblem(schema, value, name);
  if (tooLarge !== undefined) return tooLarge;
  if (Check(schema, value)) return undefined;
  const [error] = Errors(schema, value);
  return error && `${name}${error.instancePath.replaceAll("/", ".")} ${error.message}`;
}

/** The part of a schema that bounds sizes. */
interface Sizes {
  readonly properties?: Readonly<Record<string, Sizes>>;
  readonly anyOf?: readonly Sizes[];
  readonly maxItems?: number;
  readonly maxProperties?: number;
}

/**
 * Checks the sizes of the fields that the schema describes, because typebox checks all items of a list, 2 µs each, before it checks
 * their number.
 */
function sizeProblem(schema: Sizes, value: unknown, name: string): string | undefined {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const field: unknown = Object(value)[key];
    if (typeof field !== "object" || field === null) continue;
    const size = Array.isArray(field) ? field.length : Object.keys(field).length;
    for (const part of [property, ...(property.anyOf ?? [])]) {
      const most = Array.isArray(field) ? part.maxItems : part.maxProperties;
      if (most !== undefined && size > most)
        return `${name}.${key} must not have more than ${most} ${Array.isArray(field) ? "items" : "properties"}`;
      const problem = sizeProblem(part, field, `${name}.${key}`);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

/** Estimates the memory of a JSON value in bytes: 2 per character and 100 per value. Stops counting at `limit`. */
export function estimateBytes(json: unknown, limit: number): number {
  let bytes = 0;
  const rest: unknown[] = [json];
  while (rest.length > 0 && bytes < limit) {
    const value = rest.pop();
    bytes += 100 + (typeof value === "string" ? 2 * value.length : 0);
    if (typeof value !== "object" || value === null) continue;
    for (const [name, item] of Object.entries(value)) {
      bytes += 2 * name.length;
      rest.push(item);
    }
  }
  return bytes;
}

/** What a bot's late listener may hold: items of one kind, and their memory together as `estimateBytes` counts it. */
export const maxHeld = 50;
export const maxHeldBytes: number = 2 * 1024 * 1024;

/** Removes the oldest items until at most `most` are left, of at most 2 MiB together. Returns those that it removed. */
export function dropOldest<Item>(items: Item[], bytesOf: (item: Item) => number, most: number = maxHeld): Item[] {
  let bytes = 0;
  let keep = 0;
  for (const item of items.toReversed()) {
    bytes += bytesOf(item);
    if (keep === most || bytes > maxHeldBytes) break;
    keep += 1;
  }
  return items.splice(0, items.length - keep);
}

/** Shortens untrusted text to 60 characters and replaces control characters, for use in answers and log lines. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return short.replaceAll(/\p{Cc}/gu, " ");
}
