import { createHash } from "node:crypto";
import { safeEqual } from "@pipecat-ts/runner-core";
import type { CarrierSignatures, SignedRequest } from "@pipecat-ts/runner-telephony";
import { createJwt, verifyJwt } from "./jwt.ts";
import type { VonageOptions } from "./options.ts";

/**
 * Vonage's signed webhooks: a token in the header `Authorization`, with the SHA-256 hash of the body as `payload_hash`.
 * https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks
 */
export const signatures: CarrierSignatures<VonageOptions> = {
  covers: "body",
  fix: "Set VONAGE_SIGNATURE_SECRET.",
  secret: ({ signatureSecret }) => signatureSecret,
  sign: ({ form }, secret) => sign(form.toString(), secret),
  verifyWebhook({ headers, rawBody }, secret) {
    const claims = verifyJwt(tokenIn(headers) ?? "", secret);
    return claims !== undefined && safeEqual(String(claims.payload_hash).toLowerCase(), hash(rawBody));
  },
  // An NCCO of your own may request a token on the socket too: https://developer.vonage.com/en/voice/voice-api/ncco-reference#connect
  verifyUpgrade({ headers }, secret) {
    const token = tokenIn(headers);
    if (token === undefined) return "missing";
    return verifyJwt(token, secret) ? "valid" : "invalid";
  },
  // The URL in a webhook reply is valid for one call.
  requireUpgrade: (_options, byWebhook) => !byWebhook,
};

/** The header that signs a request with this body. */
export function sign(body: string, secret: string): { readonly authorization: string } {
  return { authorization: `Bearer ${createJwt({ iss: "Vonage", payload_hash: hash(body) }, secret)}` };
}

/**
 * The JSON Web Token in the header `Authorization`, which may also have a key or a token of the runner. A token of the runner has three
 * parts too, but only a JSON object in base64url begins with `eyJ`.
 */
function tokenIn({ authorization }: SignedRequest["headers"]): string | undefined {
  return /^Bearer (eyJ[\w-]*\.[\w-]+\.[\w-]+)$/.exec(authorization ?? "")?.[1];
}

function hash(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
