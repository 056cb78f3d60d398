import { basicAuthorization, type CarrierSignatures, equalInSecret } from "@pipecat-ts/runner-telephony";
import type { ExotelOptions } from "./options.ts";

/**
 * Exotel signs nothing. It proves itself by the credentials that stand in the applet's URL, which it sends as Basic
 * authentication: https://developer.exotel.com/docs/agentstream/stream-voicebot-applet
 */
export const signatures: CarrierSignatures<ExotelOptions> = {
  coverUrl: false,
  fix: "Set EXOTEL_API_KEY and EXOTEL_API_TOKEN, and put them into the applet's URL: wss://<key>:<token>@<host>/ws.",
  secret({ apiKey, apiToken }) {
    return apiKey !== undefined && apiToken !== undefined ? basicAuthorization(apiKey, apiToken) : undefined;
  },
  verifyWebhook: ({ headers }, secret) => equalInSecret(headers.authorization ?? "", secret),
  verifyUpgrade({ headers: { authorization } }, secret) {
    // Other schemes are none of Exotel's.
    if (!authorization?.startsWith("Basic ")) return "none";
    return equalInSecret(authorization, secret) ? "genuine" : "forged";
  },
  // The URL that the webhook answers holds no credentials: it was asked for with them, and is good for one call.
  requireUpgrade: (_options, byWebhook) => !byWebhook,
};
