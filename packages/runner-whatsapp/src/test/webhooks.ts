import { createHmac } from "node:crypto";
import { type Answer, send } from "@pipecat-ts/runner-testing";

/** For tests: the credentials of the app. */
export const business = {
  appSecret: "an-app-secret-that-is-never-printed",
  phoneNumberId: "436666719526789",
  token: "an-access-token-that-is-never-printed",
  verificationToken: "a-verification-token-that-is-never-printed",
} as const;

/** Fictional numbers. */
export const numbers = { caller: "12015550123", called: "12015550199" } as const;

/** Of a caller with a username. */
export const userId = "US.13491208655302741918";

/** A call id that contains the caller's number, as those of WhatsApp do. */
export function newCallId(): string {
  return `wacid.${btoa(`${numbers.caller}-${crypto.randomUUID()}`)}`;
}

/** A webhook about one call. */
export function webhookOf(
  call: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, unknown>> = {},
): object {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: numbers.called, phone_number_id: business.phoneNumberId },
    contacts: [{ profile: { name: "Ada" }, wa_id: numbers.caller }],
    calls: [call],
    ...fields,
  };
  return {
    object: "whatsapp_business_account",
    entry: [{ id: "366634483210360", changes: [{ field: "calls", value }] }],
  };
}

/** A webhook for a call with this offer. */
export function connectOf(callId: string, sdp: string): object {
  return webhookOf({
    id: callId,
    from: numbers.caller,
    to: numbers.called,
    event: "connect",
    timestamp: "1671644824",
    direction: "USER_INITIATED",
    cta_payload: "from the shop",
    session: { sdp, sdp_type: "offer" },
  });
}

/** A webhook for a call with this offer, from a caller with a username and without a number. */
export function connectOfUser(callId: string, sdp: string): object {
  const call = {
    to: numbers.called,
    event: "connect",
    direction: "USER_INITIATED",
    session: { sdp, sdp_type: "offer" },
  };
  return webhookOf(
    { id: callId, from_user_id: userId, ...call },
    { contacts: [{ profile: { name: "Ada", username: "@ada" }, user_id: userId }] },
  );
}

/** A webhook for the end of a call. */
export function terminateOf(callId: string): object {
  const { caller: from, called: to } = numbers;
  return webhookOf({ id: callId, from, to, event: "terminate", timestamp: "1671644944", status: "COMPLETED" });
}

export function sign(body: string | Buffer, secret: string = business.appSecret): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** Sends a signed webhook, as WhatsApp does. */
export function post(
  runner: { readonly url: URL },
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const text = JSON.stringify(body);
  const signed = { "content-type": "application/json", "x-hub-signature-256": sign(text), ...headers };
  return send(new URL("/whatsapp", runner.url), { method: "POST", body: text, headers: signed });
}
