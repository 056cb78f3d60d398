import { createRestClient, type RestAnswer, type RestRequest, RunnerError } from "@pipecat-ts/runner-core";
import type { TSchema } from "typebox";
import * as Type from "typebox";
import { Check } from "typebox/value";
import type { CallConnect } from "./messages.ts";

/**
 * The requests to WhatsApp's Graph API
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/calling/reference). Each resolves when WhatsApp confirms success.
 * Rejects with WHATSAPP_REFUSED, or with WHATSAPP_UNREACHABLE when the outcome is unknown. No error contains a phone number, a
 * user id, a call id or the token.
 */
export interface WhatsAppApi {
  /** Allows the connection to be set up while the caller's phone rings. */
  preAccept(call: CallConnect, answerSdp: string): Promise<void>;
  /** Accepts the call. The answer must equal that of `preAccept`. */
  accept(call: CallConnect, answerSdp: string): Promise<void>;
  /** Rejects a call that was not accepted. Sent again once if no answer or a 5xx answer arrives. */
  reject(call: CallConnect): Promise<void>;
  /** Hangs up. Sent again like `reject`. */
  terminate(call: CallConnect): Promise<void>;
  /** Resolves when the token may read the business number. */
  checkNumber(): Promise<void>;
  /** Aborts requests in progress, which then reject. */
  close(): Promise<void>;
}

export interface WhatsAppApiOptions {
  readonly apiUrl: string;
  readonly phoneNumberId: string;
  readonly token: string;
  /** How long one attempt of a request may take, in ms. Default 5,000; at most 1,800 for `reject` and `terminate`. */
  readonly timeoutMs?: number;
}

/** A session has 5 s to release its resources: two attempts and the pause between them fit. */
const hangUpTimeoutMs = 1_800;

const successSchema: TSchema = Type.Object({ success: Type.Literal(true) });

const text: TSchema = Type.Optional(Type.String({ maxLength: 10_000 }));

const errorSchema: TSchema = Type.Object({
  error: Type.Object({
    message: text,
    code: Type.Optional(Type.Number()),
    error_subcode: Type.Optional(Type.Number()),
    error_data: Type.Optional(Type.Object({ details: text })),
  }),
});

interface ErrorBody {
  readonly error: {
    readonly message?: string;
    readonly code?: number;
    readonly error_subcode?: number;
    readonly error_data?: { readonly details?: string };
  };
}

export function createWhatsAppApi({
  apiUrl,
  phoneNumberId,
  token,
  timeoutMs = 5_000,
}: WhatsAppApiOptions): WhatsAppApi {
  const number = new URL(`${apiUrl.replace(/\/+$/, "")}/${encodeURIComponent(phoneNumberId)}`);
  const url = new URL(`${number.href}/calls`);
  const errors = { vendor: "WhatsApp", unreachable: "WHATSAPP_UNREACHABLE" };
  const client = createRestClient({ ...errors, timeoutMs });
  const hangUpClient = createRestClient({ ...errors, timeoutMs: Math.min(timeoutMs, hangUpTimeoutMs) });

  const request = (action: string, { callId }: CallConnect, fields: object = {}): RestRequest => ({
    method: "POST",
    url,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ messaging_product: "whatsapp", action, call_id: callId, ...fields }),
  });

  function requireSuccess(action: string, { status, body }: RestAnswer): void {
    if (status < 300 && Check(successSchema, parseJson(body))) return;
    throw new RunnerError(
      "WHATSAPP_REFUSED",
      `WhatsApp refused to ${action} a call: ${status}${describeError(body)}.`,
      {
        status: 502,
        fix: "Look up the code at https://developers.facebook.com/docs/whatsapp/cloud-api/calling/troubleshooting.",
      },
    );
  }

  async function answer(action: string, call: CallConnect, sdp: string): Promise<void> {
    const { from } = call.call;
    // `call_id` identifies the call of a caller without a number.
    const fields = { ...(from ? { to: from } : {}), session: { sdp_type: "answer", sdp } };
    requireSuccess(action, await client.send(request(action, call, fields)));
  }

  async function hangUp(action: string, call: CallConnect): Promise<void> {
    requireSuccess(action, await hangUpClient.send({ ...request(action, call), attempts: 2, idempotent: true }));
  }

  return {
    preAccept: (call, sdp) => answer("pre_accept", call, sdp),
    accept: (call, sdp) => answer("accept", call, sdp),
    reject: (call) => hangUp("reject", call),
    terminate: (call) => hangUp("terminate", call),
    async checkNumber() {
      // https://developers.facebook.com/docs/whatsapp/business-management-api/manage-phone-numbers
      const { status, body } = await client.send({
        method: "GET",
        url: new URL("?fields=id", number),
        headers: { authorization: `Bearer ${token}` },
      });
      if (status === 200 && Object(parseJson(body)).id === phoneNumberId) return;
      throw new RunnerError("WHATSAPP_REFUSED", `WhatsApp does not find the number: ${status}${describeError(body)}.`, {
        status: 502,
        fix: fixOfCheck(status, body),
      });
    },
    async close() {
      await Promise.all([client.close(0), hangUpClient.close(0)]);
    },
  };
}

/**
 * https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes: 190 is an access token that has expired or is wrong; 4,
 * 80007 and 130429 are limits of requests; 1, 2 and 131016 are faults of WhatsApp.
 */
const temporaryCodes: readonly (number | undefined)[] = [1, 2, 4, 80_007, 130_429, 131_016];

function fixOfCheck(status: number, text: string): string {
  const body = parseJson(text);
  const code = Check(errorSchema, body) ? (body as ErrorBody).error.code : undefined;
  if (status === 401 || code === 190) return "Set WHATSAPP_TOKEN to an access token that has not expired.";
  if (status === 429 || status >= 500 || temporaryCodes.includes(code)) {
    return "Try again later. WhatsApp limits requests or has a fault; if the server in WHATSAPP_API_URL is your own, read its log.";
  }
  if (code === undefined) return "Check WHATSAPP_API_URL: the server at this URL does not answer as WhatsApp does.";
  return "Check WHATSAPP_PHONE_NUMBER_ID, and that the token has the permission whatsapp_business_management for it.";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Matches no schema.
  }
}

/** WhatsApp's error codes and message, without anything that may be a phone number, a user id or a call id. */
function describeError(text: string): string {
  const body = parseJson(text);
  if (!Check(errorSchema, body)) return "";
  const { code, error_subcode, message, error_data } = (body as ErrorBody).error;
  const codes = [code, error_subcode].filter((each) => each !== undefined).join("/");
  const words = [message, error_data?.details].filter((each) => each !== undefined && each !== "").join(": ");
  const shown = words
    .replaceAll(/wacid\.\S+|\b[A-Z]{2}\.(?:ENT\.)?[A-Za-z\d]{6,}|\+?\d[\d\s().-]{4,}\d/g, "…")
    .slice(0, 300);
  return `${codes === "" ? "" : `, code ${codes}`}${shown === "" ? "" : `, "${shown}"`}`;
}
