import { type HttpRoute, type RouteContext, RunnerError } from "@pipecat-ts/runner-core";
import { type CallEvent, recogniseCallEvents } from "./messages.ts";
import type { Credentials } from "./options.ts";
import { isSameSecret, isSigned } from "./signature.ts";

/** What the webhook needs. */
export interface WebhookOptions extends Pick<Credentials, "appSecret" | "verificationToken"> {
  /** Told of each call event that WhatsApp signed. Must not throw. */
  take(event: CallEvent): void;
}

const path = "/whatsapp";

/**
 * Where WhatsApp tells of calls. It is answered at once, whatever becomes of them, and quietly where it tells of something
 * else: after failures it would send the same again, for days.
 */
export function webhookRoutes({ appSecret, verificationToken, take }: WebhookOptions): HttpRoute[] {
  function verify(ctx: RouteContext): void {
    const { "hub.mode": mode, "hub.verify_token": given, "hub.challenge": challenge } = ctx.query;
    if (mode !== "subscribe" || typeof given !== "string" || !isSameSecret(given, verificationToken))
      throw new RunnerError("VERIFICATION_REFUSED", "This is no verification with the webhook's token.", {
        status: 403,
        fix: "Give WHATSAPP_WEBHOOK_VERIFICATION_TOKEN and the app's webhook settings the same value.",
      });
    if (typeof challenge !== "string" || !/^\d{1,20}$/.test(challenge))
      throw new RunnerError("REQUEST_INVALID", "hub.challenge is no number.");
    // As text, in which a large number keeps all its digits.
    ctx.type = "json";
    ctx.body = challenge;
  }

  function receive(ctx: RouteContext): void {
    const signature = ctx.get("X-Hub-Signature-256");
    const { body, rawBody = Buffer.alloc(0) } = ctx.request;
    if (!isSigned(rawBody, signature, appSecret))
      throw new RunnerError("SIGNATURE_INVALID", "This request was not signed by WhatsApp for this app.", {
        status: signature === "" ? 401 : 403,
        fix: "Check WHATSAPP_APP_SECRET against the app's settings.",
      });
    recogniseCallEvents(body).forEach(take);
    ctx.body = { status: "success", message: "Webhook processed successfully" };
  }

  return [
    { method: "GET", path, access: "carrier", handle: verify },
    { method: "POST", path, access: "carrier", handle: receive },
  ];
}
