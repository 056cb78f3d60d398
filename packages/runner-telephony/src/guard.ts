import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type RouteContext, RunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";
import type { Carrier, CarrierOptions, Proof, SignedRequest } from "./carrier.ts";

/** Tells a carrier's requests from forged ones, as far as the settings allow. */
export interface Guard {
  /** Whether webhook requests are taken from whoever sends them. */
  readonly takesAnybody: boolean;
  /** Throws SIGNATURE_INVALID (403) for a webhook request that the carrier did not sign, or that nothing can prove but must. */
  checkWebhook(ctx: RouteContext): void;
  /** What an upgrade request proves; `none` where nothing can be known. */
  checkUpgrade(request: IncomingMessage): Proof;
  /** Whether an upgrade that proves nothing is none of this carrier. */
  requiresUpgrade(byWebhook: boolean): boolean;
}

/** What becomes of a carrier's webhook requests here. */
export interface WebhookProof {
  /** `verified` one by one; else nothing tells them from forged ones, so that all of them are `taken`, or `refused`. */
  readonly all: "verified" | "taken" | "refused";
  /** What would have them verified; absent where nothing would. */
  readonly fix?: string;
}

/** Nobody is taken unproven by a runner whose callers must prove themselves, unless its operator said so in so many words. */
export function webhookProof<Options extends CarrierOptions>(
  { signatures }: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): WebhookProof {
  if (!options.verifySignatures) return { all: "taken", fix: "Leave out --no-verify-signatures." };
  const all = settings.callersMustProve ? "refused" : "taken";
  if (!signatures?.verifyWebhook) return { all };
  if (signatures.secret(options) === undefined) return { all, fix: signatures.fix };
  if (signatures.coverUrl && !settings.publicUrl) return { all, fix: "Start with --proxy <public hostname>." };
  return { all: "verified" };
}

/** Signatures are checked against the configured public URL and never against a header, which a caller can forge. */
export function createGuard<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): Guard {
  const { title, signatures } = carrier;
  const proof = webhookProof(carrier, options, settings);
  const canVerify = options.verifySignatures && (!signatures?.coverUrl || settings.publicUrl !== undefined);
  const secret = canVerify ? signatures?.secret(options) : undefined;
  const verifyUpgrade = secret === undefined ? undefined : signatures?.verifyUpgrade;

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
    takesAnybody: proof.all === "taken",
    checkWebhook(ctx) {
      if (proof.all === "taken") return;
      if (proof.all === "refused" || secret === undefined) throw unprovable(title, proof.fix);
      if (signatures?.verifyWebhook?.(signed(ctx.req, ctx.request.rawBody ?? Buffer.alloc(0)), secret)) return;
      throw signatureInvalid(title);
    },
    checkUpgrade(request) {
      if (!verifyUpgrade || secret === undefined) return "none";
      return verifyUpgrade(signed(request, Buffer.alloc(0)), secret, options);
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

/** The refusal of a request that may well be `title`'s, where callers must prove themselves and this one cannot. */
function unprovable(title: string, fix = `${title} has nothing to prove itself by.`): RunnerError {
  return new RunnerError(
    "SIGNATURE_INVALID",
    `Callers must prove themselves here, and nothing proves ${title}'s requests.`,
    {
      fix: `${fix} Or take everybody's by --no-verify-signatures.`,
    },
  );
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function equalInSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
