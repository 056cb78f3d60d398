import { createHmac } from "node:crypto";
import { type HttpRoute, type RouteContext, RunnerError, safeEqual } from "@pipecat-ts/runner-core";
import { type CallEvent, parseCallEvents } from "./messages.ts";
import type { Credentials } from "./options.ts";

export interface WebhookOptions extends Pick<Credentials, "appSecret" | "verificationToken"> {
  /** Receives each call event of a signed webhook. Must not throw. */
  take(event: CallEvent): void;
}

const path = "/whatsapp";

/**
 * The webhook routes. A webhook gets its answer before its calls are handled, and 200 even if it contains no calls: WhatsApp
 * repeats failed webhooks for days.
 */
export function webhookRoutes({ appSecret, verificationToken, take }: WebhookOptions): HttpRoute[] {
  function verify(ctx: RouteContext): void {
    const { "hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge } = ctx.query;
    if (mode !== "subscribe" || typeof token !== "string" || !safeEqual(token, verificationToken))
      throw new RunnerError("VERIFICATION_REFUSED", "The verification token is missing or wrong.", {
        status: 403,
        fix: "Set WHATSAPP_WEBHOOK_VERIFICATION_TOKEN to the token in the app's webhook settings.",
      });
    if (typeof challenge !== "string" || !/^\d{1,20}$/.test(challenge))
      throw new RunnerError("REQUEST_INVALID", "hub.challenge is not a number.");
    // Sent as text, because a JavaScript number would lose digits.
    ctx.type = "json";
    ctx.body = challenge;
  }

  function receive(ctx: RouteContext): void {
    const signature = ctx.get("X-Hub-Signature-256");
    const { body, rawBody = "" } = ctx.request;
    if (!isSigned(rawBody, signature, appSecret))
      throw new RunnerError("SIGNATURE_INVALID", "WhatsApp did not sign this request for this app.", {
        status: signature === "" ? 401 : 403,
        fix: "Compare WHATSAPP_APP_SECRET with the app's settings.",
      });
    parseCallEvents(body).forEach(take);
    ctx.body = { status: "success", message: "Webhook processed successfully" };
  }

  return [
    { method: "GET", path, access: "carrier", summary: "WhatsApp's check of the webhook", handle: verify },
    { method: "POST", path, access: "carrier", summary: "WhatsApp's webhook for calls", handle: receive },
  ];
}

/**
 * Whether WhatsApp sent a webhook, unchanged: the signature is `sha256=` and the HMAC-SHA256 of the body in hex, with the app
 * secret as key (https://developers.facebook.com/docs/graph-api/webhooks/getting-started).
 */
function isSigned(rawBody: string, signature: string, appSecret: string): boolean {
  const expected = createHmac("sha256", appSecret).update(rawBody).digest("hex");
  return safeEqual(signature.toLowerCase(), `sha256=${expected}`);
}
