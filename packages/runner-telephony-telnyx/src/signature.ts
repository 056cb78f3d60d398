import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { CarrierSignatures } from "@pipecat-ts/runner-telephony";
import type { TelnyxOptions } from "./options.ts";

/** How old a request may be, in s: an older one was recorded, and is sent again by somebody else. */
const windowS = 300;

/** What stands before the 32 bytes of an Ed25519 key in SPKI: RFC 8410. */
const spkiHead = Buffer.from("302a300506032b6570032100", "hex");

/** Telnyx's webhook signatures: https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks#webhook-signing */
export const signatures: CarrierSignatures<TelnyxOptions> = {
  coverUrl: false,
  fix: "Set TELNYX_PUBLIC_KEY.",
  secret: ({ publicKey }) => publicKey,
  verifyWebhook({ headers, rawBody }, publicKey) {
    const { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature } = headers;
    if (typeof timestamp !== "string" || typeof signature !== "string") return false;
    // `NaN` is beyond the window, too.
    if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= windowS)) return false;
    const signed = Buffer.concat([Buffer.from(`${timestamp}|`), rawBody]);
    const bytes = Buffer.from(signature, "base64");
    return bytes.length === 64 && verify(null, signed, keyOf(publicKey), bytes);
  },
};

function keyOf(publicKey: string): KeyObject {
  return createPublicKey({
    key: Buffer.concat([spkiHead, Buffer.from(publicKey, "base64")]),
    format: "der",
    type: "spki",
  });
}
