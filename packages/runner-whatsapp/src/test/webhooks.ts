import { createHmac } from "node:crypto";
import { type Answer, send } from "@pipecat-ts/runner-testing";

/** For tests: the business, as its app's settings have it. */
export const business = {
  appSecret: "an-app-secret-that-is-never-printed",
  phoneNumberId: "436666719526789",
  token: "an-access-token-that-is-never-printed",
  verificationToken: "a-verification-token-that-is-never-printed",
} as const;

/** Numbers kept for fiction, and the id of a call, which has the caller's number in it as WhatsApp's have. */
export const numbers = { caller: "12015550123", called: "12015550199" } as const;

export function newCallId(): string {
  return `wacid.${btoa(`${numbers.caller}-${crypto.randomUUID()}`)}`;
}

/** What a webhook tells of one call. */
export function webhookOf(
  call: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
): object {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: numbers.called, phone_number_id: business.phoneNumberId },
    contacts: [{ profile: { name: "Ada" }, wa_id: numbers.caller }],
    calls: [call],
    ...more,
  };
  return {
    object: "whatsapp_business_account",
    entry: [{ id: "366634483210360", changes: [{ field: "calls", value }] }],
  };
}

/** Somebody calls, with this offer. */
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

/** The call is over. */
export function terminateOf(callId: string): object {
  const { caller: from, called: to } = numbers;
  return webhookOf({ id: callId, from, to, event: "terminate", timestamp: "1671644944", status: "COMPLETED" });
}

export function sign(body: string | Buffer, secret: string = business.appSecret): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** Sends a webhook as WhatsApp does, signed. */
export function post(
  runner: { readonly url: URL },
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const text = JSON.stringify(body);
  const signed = { "content-type": "application/json", "x-hub-signature-256": sign(text), ...headers };
  return send(new URL("/whatsapp", runner.url), { method: "POST", body: text, headers: signed });
}
