import { createHmac } from "node:crypto";
import { isExposed, type RunnerSettings, safeEqual } from "@pipecat-ts/runner-core";
import type { DailyOptions } from "./options.ts";

/** Maximum age of a signature, in ms, which limits replays. */
const replayWindowMs = 300_000;
/** A timestamp in seconds is below this value until the year 5138; one in milliseconds is above it since 1973. */
const largestSeconds = 1e11;

/** A webhook request and its signature. */
export interface SignedWebhook {
  /** `X-Pinless-Signature`. */
  readonly signature: string | undefined;
  /** `X-Pinless-Timestamp`: seconds or milliseconds since 1970. Daily has sent both. */
  readonly timestamp: string | undefined;
  readonly rawBody: string;
}

/**
 * Why the signature of a dial-in webhook is invalid; `undefined` when it is valid. The signature is the base64 of an
 * HMAC-SHA256, keyed with the decoded secret, of the timestamp, a dot and the body.
 * https://docs.daily.co/guides/products/dial-in-dial-out/dialin-pinless
 */
export function pinlessSignatureFault(webhook: SignedWebhook, secret: string, nowMs: number): string | undefined {
  const { signature, timestamp, rawBody } = webhook;
  if (signature === undefined || timestamp === undefined) return "it is not signed";
  const expected = createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.${rawBody}`).digest();
  if (!safeEqual(Buffer.from(signature, "base64"), expected)) return "its signature does not match the secret";
  const time = Number(timestamp);
  const signedAtMs = time < largestSeconds ? time * 1000 : time;
  // Not "> window": comparisons with NaN are false.
  if (Math.abs(nowMs - signedAtMs) <= replayWindowMs) return undefined;
  return "its timestamp is more than five minutes off";
}

/**
 * How the runner verifies dial-in webhooks: with the secret; `accept` all, silently or with a warning (`warn`); or
 * `reject` all.
 */
export type WebhookVerification = { readonly secret: string } | "accept" | "warn" | "reject";

/** With `requireAuth` and without a secret all webhooks are rejected: an unsigned one would bypass the authentication. */
export function webhookVerification(
  { pinlessHmacSecret: secret, verifySignatures }: Pick<DailyOptions, "pinlessHmacSecret" | "verifySignatures">,
  settings: Pick<RunnerSettings, "requireAuth" | "host" | "publicUrl" | "trustProxy">,
): WebhookVerification {
  if (!verifySignatures) return "accept";
  if (secret !== undefined) return { secret };
  if (settings.requireAuth) return "reject";
  return isExposed(settings) ? "warn" : "accept";
}
