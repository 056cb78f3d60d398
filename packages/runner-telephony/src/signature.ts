import type { IncomingMessage } from "node:http";
import { type RouteContext, RunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";
import type { Carrier, CarrierOptions, SignedRequest, UpgradeSignature } from "./carrier.ts";

/** Real requests have about 30 parameters, and one for each SIP header. Signatures sort them, and are checked several times. */
const maxParameters = 256;

/** Signature verification of one carrier's requests, as far as the settings allow it. */
export interface SignatureVerification {
  /** Whether webhook requests are accepted without verification. */
  readonly acceptsUnverified: boolean;
  /** Whether every webhook request that is accepted comes from the carrier. */
  readonly verifiesWebhooks: boolean;
  /** Whether the query of a webhook request may be used: it is verified, or nothing is. */
  readonly coversQuery: boolean;
  /** How to change the settings so that webhooks are verified; absent when they are, or nothing helps. */
  readonly fix: string | undefined;
  /** Throws SIGNATURE_INVALID (403) for a webhook request that must be rejected. */
  verifyWebhook(ctx: RouteContext): void;
  /** Checks the signature of an upgrade request; `missing` where signatures cannot be verified. */
  checkUpgrade(request: IncomingMessage): UpgradeSignature;
  /** Whether an upgrade request may start a call. `byWebhook`: its URL comes from a webhook reply. */
  allowsUpgrade(request: IncomingMessage, byWebhook: boolean): boolean;
}

/** What happens to all webhook requests of a carrier with these settings. */
export interface WebhookPolicy {
  readonly policy: "verify" | "accept" | "reject";
  /** How to change the settings so that requests are verified; absent when nothing helps. */
  readonly fix?: string;
}

/** With `requireAuth`, requests that cannot be verified are rejected, unless `--no-verify-signatures` accepts them explicitly. */
export function webhookPolicy<Options extends CarrierOptions>(
  { signatures }: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): WebhookPolicy {
  if (!options.verifySignatures) return { policy: "accept", fix: "Remove --no-verify-signatures." };
  const policy = settings.requireAuth ? "reject" : "accept";
  if (!signatures?.verifyWebhook) return { policy };
  if (signatures.secret(options) === undefined) return { policy, fix: signatures.fix };
  if (signatures.covers === "url" && !settings.publicUrl)
    return { policy, fix: "Start with --proxy <public hostname>." };
  return { policy: "verify" };
}

/** Verifies against the configured public URL, never against a header, which a caller can forge. */
export function createSignatureVerification<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): SignatureVerification {
  const { title, signatures } = carrier;
  const { policy, fix } = webhookPolicy(carrier, options, settings);
  const canVerify = options.verifySignatures && (signatures?.covers !== "url" || settings.publicUrl !== undefined);
  const secret = canVerify ? signatures?.secret(options) : undefined;

  function checkUpgrade(request: IncomingMessage): UpgradeSignature {
    if (secret === undefined || !signatures?.verifyUpgrade) return "missing";
    return signatures.verifyUpgrade(signedRequest(request, "", settings), secret, options);
  }

  return {
    acceptsUnverified: policy === "accept",
    verifiesWebhooks: policy === "verify",
    coversQuery: policy !== "verify" || signatures?.covers !== "body",
    fix,
    verifyWebhook(ctx) {
      if (policy === "accept") return;
      if (policy === "reject" || secret === undefined) throw notVerifiable(title, fix);
      const request = signedRequest(ctx.req, ctx.request.rawBody ?? "", settings);
      if (signatures?.covers === "body" && request.rawBody === "") throw nothingSigned(title);
      if (!signatures?.verifyWebhook?.(request, secret)) throw signatureInvalid(title);
    },
    checkUpgrade,
    allowsUpgrade(request, byWebhook) {
      if (secret === undefined || !signatures?.verifyUpgrade) return true;
      return signatures.requireUpgrade?.(options, byWebhook) === false || checkUpgrade(request) === "valid";
    },
  };
}

/** The request as its signature covers it. Throws REQUEST_INVALID for more than 256 parameters in the query or the form. */
export function signedRequest(
  request: IncomingMessage,
  rawBody: string,
  { publicUrl }: Pick<RunnerSettings, "publicUrl">,
): SignedRequest {
  const { method = "GET", url: path = "/", headers } = request;
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(headers["content-type"] ?? "");
  for (const parameters of [path, isForm ? rawBody : ""]) {
    if (parameters.split("&", maxParameters + 1).length <= maxParameters) continue;
    throw new RunnerError("REQUEST_INVALID", `The request has more than ${maxParameters} parameters.`);
  }
  return {
    method,
    url: publicUrl ? `${publicUrl.origin}${publicUrl.pathname.replace(/\/+$/, "")}${path}` : "",
    headers,
    rawBody,
    form: new URLSearchParams(isForm ? rawBody : ""),
    request,
  };
}

/** The error of a request that the carrier did not sign. */
export function signatureInvalid(title: string): RunnerError {
  return new RunnerError("SIGNATURE_INVALID", `The request is not signed by ${title}.`, {
    fix: `Check that the secret belongs to the account of the phone number, and that --public-url is the URL that ${title} calls.`,
  });
}

function nothingSigned(title: string): RunnerError {
  return new RunnerError("SIGNATURE_INVALID", `${title} signs only the body, and the request has none.`, {
    fix: "Set the method of the webhook to POST.",
  });
}

function notVerifiable(title: string, fix = `${title} does not sign its requests.`): RunnerError {
  return new RunnerError(
    "SIGNATURE_INVALID",
    `This runner requires authentication, and cannot verify requests from ${title}.`,
    { fix: `${fix} To accept them unverified, use --no-verify-signatures.` },
  );
}
