import Type, { type TSchema } from "typebox";
import { Check } from "typebox/value";

/** What a webhook tells of one call. */
export type CallEvent = CallConnect | CallTerminate;

/** Somebody calls the business. */
export interface CallConnect {
  readonly kind: "connect";
  /** Names the call at the Graph API. The caller's number is encoded in it: never log it. */
  readonly callId: string;
  readonly phoneNumberId: string;
  /** The offer. */
  readonly sdp: string;
  /** The call as it was told. */
  readonly call: ToldCall;
  /** The caller's profile name, where they let it be seen. */
  readonly callerName: string | undefined;
}

/** The call is over, whoever ended it. */
export interface CallTerminate {
  readonly kind: "terminate";
  readonly callId: string;
  readonly phoneNumberId: string;
}

/** A call as a connect webhook tells of it. */
export interface ToldCall {
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
const text: TSchema = Type.Optional(Type.Union([Type.String(), Type.Null()]));

const toldCall: TSchema = Type.Object({
  id,
  from: Type.String(),
  to: Type.String(),
  event: Type.Literal("connect"),
  timestamp: text,
  direction: text,
  deeplink_payload: text,
  cta_payload: text,
  session: Type.Object({ sdp: Type.String(), sdp_type: Type.Literal("offer") }),
});

const overCall: TSchema = Type.Object({ id, event: Type.Literal("terminate") });

const contact: TSchema = Type.Object({ wa_id: Type.String(), profile: Type.Object({ name: Type.String() }) });

const change: TSchema = Type.Object({
  field: Type.Literal("calls"),
  value: Type.Object({
    metadata: Type.Object({ phone_number_id: Type.String() }),
    contacts: Type.Optional(Type.Array(Type.Unknown())),
    calls: Type.Array(Type.Unknown()),
  }),
});

const webhook: TSchema = Type.Object({
  object: Type.Literal("whatsapp_business_account"),
  entry: Type.Array(Type.Object({ changes: Type.Array(Type.Unknown()) })),
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
 * The calls that a webhook's body tells of, in order: those that people make, and those that are over. Whatever else is in
 * it, messages, states, calls that the business makes, is left out. Shapes by
 * https://developers.facebook.com/docs/whatsapp/cloud-api/calling/user-initiated-calls.
 */
export function recogniseCallEvents(body: unknown): CallEvent[] {
  if (!is<Webhook>(body, webhook)) return [];
  return body.entry
    .flatMap(({ changes }) => changes)
    .flatMap((each) => (is<Change>(each, change) ? [each.value] : []))
    .flatMap(({ calls, contacts = [], metadata }) =>
      calls.flatMap((call) => recogniseCall(call, contacts, metadata.phone_number_id) ?? []),
    );
}

function recogniseCall(call: unknown, contacts: readonly unknown[], phoneNumberId: string): CallEvent | undefined {
  if (is<{ readonly id: string }>(call, overCall)) return { kind: "terminate", callId: call.id, phoneNumberId };
  if (!is<ToldCall>(call, toldCall) || call.direction === "BUSINESS_INITIATED") return undefined;
  const callers = contacts.filter((each) => is<Contact>(each, contact));
  const callerName = callers.find(({ wa_id }) => wa_id === call.from)?.profile.name;
  return { kind: "connect", callId: call.id, phoneNumberId, sdp: call.session.sdp, call, callerName };
}

function is<T>(value: unknown, schema: TSchema): value is T {
  return Check(schema, value);
}
