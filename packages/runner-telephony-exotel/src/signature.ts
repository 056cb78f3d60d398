import { safeEqual } from "@pipecat-ts/runner-core";
import { basicAuthorization, type CarrierSignatures } from "@pipecat-ts/runner-telephony";
import type { ExotelOptions } from "./options.ts";

/**
 * Exotel does not sign requests. It sends the credentials of the applet's URL as Basic authentication:
 * https://developer.exotel.com/docs/agentstream/stream-voicebot-applet
 */
export const signatures: CarrierSignatures<ExotelOptions> = {
  covers: "request",
  fix: "Set EXOTEL_API_KEY and EXOTEL_API_TOKEN, and put them into the applet's URL: wss://<key>:<token>@<host>/ws.",
  secret({ apiKey, apiToken }) {
    return apiKey !== undefined && apiToken !== undefined ? basicAuthorization(apiKey, apiToken) : undefined;
  },
  // Without `sign`: doctor would send the credentials to whichever server the public URL leads to.
  verifyWebhook: ({ headers }, secret) => safeEqual(headers.authorization, secret),
  verifyUpgrade({ headers: { authorization } }, secret) {
    // Exotel uses no other scheme.
    if (!authorization?.startsWith("Basic ")) return "missing";
    return safeEqual(authorization, secret) ? "valid" : "invalid";
  },
  // The URL in a webhook reply has no credentials: the webhook request had them, and the URL is valid for one call.
  requireUpgrade: (_options, byWebhook) => !byWebhook,
};
