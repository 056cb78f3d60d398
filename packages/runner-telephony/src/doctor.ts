import { createRestClient, type DoctorCheck, type DoctorContext, type DoctorResult } from "@pipecat-ts/runner-core";
import { anyOf } from "./api.ts";
import type { Carrier, CarrierOptions } from "./carrier.ts";
import { signedRequest, webhookPolicy } from "./signature.ts";

/** How long the carrier's API may take to answer, in ms. */
const apiMs = 4_000;

/** The checks of `pipecat-runner doctor`: signatures through the public URL, and the credentials of the REST API. */
export function doctorChecks<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  context: DoctorContext,
): readonly DoctorCheck[] {
  const { api } = carrier;
  const { policy } = webhookPolicy(carrier, options, context.settings);
  return [
    ...(policy === "verify" ? [{ name: "signatures", run: () => checkSignatures(carrier, options, context) }] : []),
    ...(api?.probe && api.isReady(options)
      ? [{ name: "credentials", run: () => checkCredentials(carrier, options) }]
      : []),
  ];
}

/** Sends a request that is signed as the carrier signs it through the public URL, and verifies it where the runner would. */
async function checkSignatures<Options extends CarrierOptions>(
  { name, title, signatures }: Carrier<Options>,
  options: Options,
  { settings, roundTrip }: DoctorContext,
): Promise<DoctorResult> {
  const secret = signatures?.secret(options);
  if (!roundTrip)
    return { state: "skipped", reason: "They can be checked only when the check of the public URL has passed." };
  if (!signatures?.sign || secret === undefined)
    return {
      state: "skipped",
      reason: `Only ${title} can sign requests. The check of the public URL says whether they arrive.`,
    };
  const { sign } = signatures;
  const form = new URLSearchParams({ doctor: "pipecat-runner" });
  const { request, body } = await roundTrip(settings.transport === name ? "/" : `/${name}`, ({ href: url }) => ({
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...sign({ method: "POST", url, form }, secret) },
    body: form.toString(),
  }));
  if (signatures.verifyWebhook?.(signedRequest(request, body, settings), secret))
    return { state: "passed", detail: "a signed request through the public URL is verified" };
  return {
    state: "failed",
    reason: `A signed request arrives changed, so that the runner would reject the calls of ${title}.`,
    fix: "Let the proxy pass path, query, headers and body unchanged.",
  };
}

async function checkCredentials<Options extends CarrierOptions>(
  { title, api }: Carrier<Options>,
  options: Options,
): Promise<DoctorResult> {
  const request = api?.probe?.(options);
  if (!api || !request)
    return { state: "skipped", reason: "The account is not set.", fix: api ? anyOf(api.fixes) : "" };
  const client = createRestClient({ vendor: title, unreachable: "CARRIER_REFUSED", timeoutMs: apiMs });
  const { status } = await client.send(request);
  if (status >= 200 && status < 300) return { state: "passed", detail: `${title} accepts them` };
  if (status === 401 || status === 403) {
    return {
      state: "failed",
      reason: `${title} rejects them: status ${status}.`,
      fix: `Check them: ${anyOf(api.fixes)}`,
    };
  }
  return {
    state: "failed",
    reason: `${title} answers with status ${status}.`,
    fix: "Try again, and check the account.",
  };
}
