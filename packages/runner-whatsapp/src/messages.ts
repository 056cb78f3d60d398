import { maxJsonValues, RunnerError } from "@pipecat-ts/runner-core";
import type { TSchema } from "typebox";
import * as Type from "typebox";
import { Compile, type Validator } from "typebox/compile";

/** An event of one call, from a webhook. */
export type CallEvent = CallConnect | CallTerminate | CallUnreadable;

/** A call to the business. */
export interface CallConnect {
  readonly kind: "connect";
  /** WhatsApp's id of the call. Never log it: it contains the caller's number. */
  readonly callId: string;
  readonly phoneNumberId: string;
  /** The caller's offer. */
  readonly sdp: string;
  /** The call object of the webhook. */
  readonly call: CallObject;
  /** The caller's profile name, if the caller shares it. */
  readonly callerName: string | undefined;
}

/** The end of a call, by either side. */
export interface CallTerminate {
  readonly kind: "terminate";
  readonly callId: string;
  readonly phoneNumberId: string;
}

/** An event that is neither a valid connect nor a valid terminate event. */
export interface CallUnreadable {
  readonly kind: "unreadable";
  readonly phoneNumberId: string;
}

/** The call object of a connect webhook. A caller with a username may have a user id and no number. */
export interface CallObject {
  readonly id: string;
  readonly from?: string | null;
  readonly from_user_id?: string | null;
  readonly to: string;
  readonly event: "connect";
  readonly timestamp?: string | null;
  readonly direction?: string | null;
  readonly deeplink_payload?: string | null;
  readonly cta_payload?: string | null;
  readonly session: { readonly sdp: string; readonly sdp_type: "offer" };
}

/** Most changes, and most calls and contacts, in one webhook. WhatsApp sends at most 1,000 updates. */
const maxItems = 1_000;
/** Longer lists are rejected with an error, so the schemas accept every list that a body can have. */
const list: TSchema = Type.Array(Type.Unknown(), { maxItems: maxJsonValues });
const id: TSchema = Type.String({ minLength: 1, maxLength: 1_024 });
/** A phone number, or the id of one. */
const number: TSchema = Type.String({ maxLength: 64 });
const callerNumber: TSchema = Type.Optional(Type.Union([number, Type.Null()]));
/** A business-scoped user id: a country code, a dot, and up to 128 letters and digits. */
const userId: TSchema = Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()]));
const text: TSchema = Type.Optional(Type.Union([Type.String({ maxLength: 4_096 }), Type.Null()]));
/** Real offers have about 3,000 characters. */
const maxSdpLength = 65_536;
const maxNameLength = 1_024;

const connectValidator: Validator = Compile(
  Type.Object({
    id,
    from: callerNumber,
    from_user_id: userId,
    to: number,
    event: Type.Literal("connect"),
    timestamp: text,
    direction: text,
    deeplink_payload: text,
    cta_payload: text,
    session: Type.Object({ sdp: Type.String({ maxLength: maxSdpLength }), sdp_type: Type.Literal("offer") }),
  }),
);

const terminateValidator: Validator = Compile(Type.Object({ id, event: Type.Literal("terminate") }));

const contactValidator: Validator = Compile(
  Type.Object({
    wa_id: callerNumber,
    user_id: userId,
    profile: Type.Object({ name: Type.String({ maxLength: maxNameLength }) }),
  }),
);

const changeValidator: Validator = Compile(
  Type.Object({
    field: Type.Literal("calls"),
    value: Type.Object({
      metadata: Type.Object({ phone_number_id: number }),
      contacts: Type.Optional(list),
      calls: list,
    }),
  }),
);

const webhookValidator: Validator = Compile(
  Type.Object({
    object: Type.Literal("whatsapp_business_account"),
    entry: Type.Array(Type.Object({ changes: list }), { maxItems: maxJsonValues }),
  }),
);

interface Contact {
  readonly wa_id?: string | null;
  readonly user_id?: string | null;
  readonly profile: { readonly name: string };
}
interface Change {
  readonly value: {
    readonly metadata: { readonly phone_number_id: string };
    readonly contacts?: readonly unknown[];
    readonly calls: readonly unknown[];
  };
}
interface Webhook {
  readonly entry: readonly { readonly changes: readonly unknown[] }[];
}

/**
 * Parses the body of a webhook into its call events, in order. Ignores everything else: messages, statuses, and calls that the
 * business makes. Throws BODY_INVALID for more than 1,000 changes, calls and contacts. Sources:
 * https://developers.facebook.com/docs/whatsapp/cloud-api/calling/user-initiated-calls,
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids.
 */
export function parseCallEvents(body: unknown): CallEvent[] {
  if (!is<Webhook>(body, webhookValidator)) return [];
  const changes = body.entry.flatMap((entry) => entry.changes);
  requireFew(changes.length);
  const values = changes.flatMap((each) => (is<Change>(each, changeValidator) ? [each.value] : []));
  requireFew(values.reduce((count, { calls, contacts = [] }) => count + calls.length + contacts.length, 0));
  return values.flatMap(({ calls, contacts, metadata }) => {
    const names = namesOf(contacts);
    return calls.flatMap((call) => parseCall(call, names, metadata.phone_number_id) ?? []);
  });
}

function requireFew(count: number): void {
  if (count <= maxItems) return;
  throw new RunnerError("BODY_INVALID", `The webhook has more than ${maxItems} changes, calls and contacts.`);
}

/** The profile names by number and by user id; the first one counts. */
function namesOf(contacts: readonly unknown[] = []): ReadonlyMap<string, string> {
  const callers = contacts.filter((each) => is<Contact>(each, contactValidator));
  return new Map(
    callers
      .reverse()
      .flatMap(({ wa_id, user_id, profile }) =>
        [wa_id, user_id].flatMap((each): [string, string][] => (each ? [[each, profile.name]] : [])),
      ),
  );
}

function parseCall(call: unknown, names: ReadonlyMap<string, string>, phoneNumberId: string): CallEvent | undefined {
  if (is<{ readonly id: string }>(call, terminateValidator))
    return { kind: "terminate", callId: call.id, phoneNumberId };
  if (Object(call).direction === "BUSINESS_INITIATED") return undefined;
  if (!is<CallObject>(call, connectValidator)) return { kind: "unreadable", phoneNumberId };
  const callerName = names.get(call.from ?? "") ?? names.get(call.from_user_id ?? "");
  return { kind: "connect", callId: call.id, phoneNumberId, sdp: call.session.sdp, call, callerName };
}

function is<T>(value: unknown, validator: Validator): value is T {
  return validator.Check(value);
}
