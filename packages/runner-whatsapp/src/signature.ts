import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/**
 * Whether a webhook came from WhatsApp, unchanged: `X-Hub-Signature-256` is `sha256=` and the HMAC-SHA256 of the body's
 * bytes in hex, keyed with the app's secret (https://developers.facebook.com/docs/graph-api/webhooks/getting-started).
 * Takes the same time whatever was given.
 */
export function isSigned(rawBody: Uint8Array, signature: string, appSecret: string): boolean {
  const expected = createHmac("sha256", appSecret).update(rawBody).digest();
  const given = Buffer.from(signature.match(/^sha256=([\da-f]{64})$/i)?.[1] ?? "", "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Whether two secrets are the same. Takes the same time whatever was given. */
export function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
