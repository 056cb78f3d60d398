import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { CarrierSignatures } from "@pipecat-ts/runner-telephony";
import type { TelnyxOptions } from "./options.ts";

/** Greatest age of a request, in s. An older one may be a replay. */
const maxAgeS = 300;

/** The bytes before the 32 bytes of an Ed25519 key in SPKI: RFC 8410. */
const spkiHead = Buffer.from("302a300506032b6570032100", "hex");

/** Telnyx's webhook signatures: https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks#webhook-signing */
export const signatures: CarrierSignatures<TelnyxOptions> = {
  covers: "body",
  fix: "Set TELNYX_PUBLIC_KEY.",
  secret: ({ publicKey }) => publicKey,
  verifyWebhook({ headers, rawBody }, publicKey) {
    const { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature } = headers;
    if (typeof timestamp !== "string" || typeof signature !== "string") return false;
    // Negated, because every comparison with `NaN` is false.
    if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= maxAgeS)) return false;
    const bytes = Buffer.from(signature, "base64");
    return bytes.length === 64 && verify(null, Buffer.from(`${timestamp}|${rawBody}`), keyOf(publicKey), bytes);
  },
};

function keyOf(publicKey: string): KeyObject {
  return createPublicKey({
    key: Buffer.concat([spkiHead, Buffer.from(publicKey, "base64")]),
    format: "der",
    type: "spki",
  });
}
