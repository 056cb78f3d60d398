import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type RouteContext, RunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";
import type { Carrier, CarrierOptions, Proof, SignedRequest } from "./carrier.ts";

/** Tells a carrier's requests from forged ones, as far as the settings allow. */
export interface Guard {
  /** Throws SIGNATURE_INVALID (403) for a webhook request that the carrier did not sign. */
  checkWebhook(ctx: RouteContext): void;
  /** What an upgrade request proves; `none` where nothing can be known. */
  checkUpgrade(request: IncomingMessage): Proof;
  /** Whether an upgrade that proves nothing is none of this carrier. */
  requiresUpgrade(byWebhook: boolean): boolean;
}

/** Why a carrier's signatures are not verified; `undefined` when they are, or there are none to verify. */
export function unverified<Options extends CarrierOptions>(
  { signatures }: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): "turned off" | "no secret" | "no public URL" | undefined {
  if (!signatures) return undefined;
  if (!options.verifySignatures) return "turned off";
  if (signatures.secret(options) === undefined) return "no secret";
  return signatures.coverUrl && !settings.publicUrl ? "no public URL" : undefined;
}

/** Signatures are checked against the configured public URL and never against a header, which a caller can forge. */
export function createGuard<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): Guard {
  const { signatures } = carrier;
  const secret = signatures?.secret(options);
  const active = signatures && secret !== undefined && unverified(carrier, options, settings) === undefined;
  const verifyUpgrade = active ? signatures.verifyUpgrade : undefined;

  function signed(request: IncomingMessage, rawBody: Buffer): SignedRequest {
    const base = settings.publicUrl;
    const path = request.url ?? "/";
    const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers["content-type"] ?? "");
    return {
      method: request.method ?? "GET",
      url: base ? `${base.origin}${base.pathname.replace(/\/+$/, "")}${path}` : "",
      headers: request.headers,
      rawBody,
      form: new URLSearchParams(isForm ? rawBody.toString("utf8") : ""),
      request,
    };
  }

  return {
    checkWebhook(ctx) {
      if (!active || !signatures.verifyWebhook) return;
      if (signatures.verifyWebhook(signed(ctx.req, ctx.request.rawBody ?? Buffer.alloc(0)), secret)) return;
      throw signatureInvalid(carrier.title);
    },
    checkUpgrade(request) {
      return verifyUpgrade && secret !== undefined ? verifyUpgrade(signed(request, Buffer.alloc(0)), secret) : "none";
    },
    requiresUpgrade(byWebhook) {
      return verifyUpgrade !== undefined && (signatures?.requireUpgrade?.(options, byWebhook) ?? true);
    },
  };
}

/** The refusal of a request that `title` did not sign. */
export function signatureInvalid(title: string): RunnerError {
  return new RunnerError("SIGNATURE_INVALID", `This request was not signed by ${title}.`, {
    fix: `Check that the secret is that of the account which the number belongs to, and that --public-url is the very URL that ${title} calls.`,
  });
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function equalInSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
