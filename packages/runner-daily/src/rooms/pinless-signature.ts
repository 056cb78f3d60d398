import { createHmac, timingSafeEqual } from "node:crypto";

/** How far the clock of a signature may be off, in ms. An older one is somebody's recording. */
const replayWindowMs = 300_000;
/** A number of seconds since 1970 is below this until the year 5138, one of milliseconds above it since 1973. */
const largestSeconds = 1e11;

/** A webhook and how it is signed. */
export interface SignedWebhook {
  /** `X-Pinless-Signature`. */
  readonly signature: string | undefined;
  /** `X-Pinless-Timestamp`: seconds or milliseconds since 1970; Daily has sent both. */
  readonly timestamp: string | undefined;
  readonly rawBody: Uint8Array;
}

/**
 * What is wrong with the signature of a dial-in webhook; `undefined` when it is Daily's, and of these five minutes.
 * Base64 of HMAC-SHA256, keyed with the decoded secret, of the timestamp, a dot and the body's bytes.
 * https://docs.daily.co/guides/products/dial-in-dial-out/dialin-pinless
 */
export function pinlessSignatureFault(webhook: SignedWebhook, secret: string, nowMs: number): string | undefined {
  const { signature, timestamp, rawBody } = webhook;
  if (signature === undefined || timestamp === undefined) return "it is not signed";
  const wanted = createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.`).update(rawBody).digest();
  const given = Buffer.from(signature, "base64");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return "its signature is not of this secret";
  const time = Number(timestamp);
  const signedAtMs = time < largestSeconds ? time * 1000 : time;
  // Not "> window": a timestamp that is no number compares with nothing.
  if (Math.abs(nowMs - signedAtMs) <= replayWindowMs) return undefined;
  return "it was signed more than five minutes ago";
}
