import Type, { type TSchema } from "typebox";
import { Check } from "typebox/value";

/** An event of one call, from a webhook. */
export type CallEvent = CallConnect | CallTerminate;

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

/** The call object of a connect webhook. */
export interface CallObject {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly event: "connect";
  readonly timestamp?: string | null;
  readonly direction?: string | null;
  readonly deeplink_payload?: string | null;
  readonly cta_payload?: string | null;
  readonly session: { readonly sdp: string; readonly sdp_type: "offer" };
}

const id: TSchema = Type.String({ minLength: 1, maxLength: 1_024 });
/** Phone numbers, names and payloads. */
const shortText: TSchema = Type.String({ maxLength: 1_024 });
const text: TSchema = Type.Optional(Type.Union([shortText, Type.Null()]));
/** Meta sends at most 1,000 updates in one webhook (https://developers.facebook.com/docs/graph-api/webhooks/getting-started). */
const list: TSchema = Type.Array(Type.Unknown(), { maxItems: 1_000 });

const connectSchema: TSchema = Type.Object({
  id,
  from: shortText,
  to: shortText,
  event: Type.Literal("connect"),
  timestamp: text,
  direction: text,
  deeplink_payload: text,
  cta_payload: text,
  session: Type.Object({ sdp: Type.String({ maxLength: 1_000_000 }), sdp_type: Type.Literal("offer") }),
});

const terminateSchema: TSchema = Type.Object({ id, event: Type.Literal("terminate") });

const contactSchema: TSchema = Type.Object({ wa_id: shortText, profile: Type.Object({ name: shortText }) });

const changeSchema: TSchema = Type.Object({
  field: Type.Literal("calls"),
  value: Type.Object({
    metadata: Type.Object({ phone_number_id: shortText }),
    contacts: Type.Optional(list),
    calls: list,
  }),
});

const webhookSchema: TSchema = Type.Object({
  object: Type.Literal("whatsapp_business_account"),
  entry: Type.Array(Type.Object({ changes: list }), { maxItems: 1_000 }),
});

interface Contact {
  readonly wa_id: string;
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
 * business makes. Source: https://developers.facebook.com/docs/whatsapp/cloud-api/calling/user-initiated-calls.
 */
export function parseCallEvents(body: unknown): CallEvent[] {
  if (!is<Webhook>(body, webhookSchema)) return [];
  return body.entry
    .flatMap(({ changes }) => changes)
    .flatMap((each) => (is<Change>(each, changeSchema) ? [each.value] : []))
    .flatMap(({ calls, contacts = [], metadata }) =>
      calls.flatMap((call) => parseCall(call, contacts, metadata.phone_number_id) ?? []),
    );
}

function parseCall(call: unknown, contacts: readonly unknown[], phoneNumberId: string): CallEvent | undefined {
  if (is<{ readonly id: string }>(call, terminateSchema)) return { kind: "terminate", callId: call.id, phoneNumberId };
  if (!is<CallObject>(call, connectSchema) || call.direction === "BUSINESS_INITIATED") return undefined;
  const callers = contacts.filter((each) => is<Contact>(each, contactSchema));
  const callerName = callers.find(({ wa_id }) => wa_id === call.from)?.profile.name;
  return { kind: "connect", callId: call.id, phoneNumberId, sdp: call.session.sdp, call, callerName };
}

function is<T>(value: unknown, schema: TSchema): value is T {
  return Check(schema, value);
}
