import { RunnerError } from "@pipecat-ts/runner-core";
import { type ApiRequest, apiPath, type CarrierApi } from "@pipecat-ts/runner-telephony";
import { createJwt } from "./jwt.ts";
import type { VonageOptions } from "./options.ts";

/** Vonage's REST API for calls: https://developer.vonage.com/en/api/voice */
export const api: CarrierApi<VonageOptions> = {
  isReady: ({ applicationId, privateKey }) => applicationId !== undefined && privateKey !== undefined,
  fixes: ["Set VONAGE_APPLICATION_ID and VONAGE_PRIVATE_KEY."],
  probe(options) {
    const url = apiPath(options.apiUrl, "v1", "calls");
    url.searchParams.set("page_size", "1");
    return { method: "GET", url, headers: headersOf(options) };
  },
  hangUp: (call, options) => ({
    ...requestOf("PUT", [call.callId], { action: "hangup" }, options),
    isDone: ({ status }) => status === 404,
  }),
  whispers: ["say", "play"],
  transfer(call, { number, whisperUrl }, options) {
    // Vonage writes phone numbers without a plus sign, and shows the callee a number of the account only.
    const isSip = /^sips?:/.test(number);
    const url = whisperUrl();
    if (url && isSip) {
      // https://developer.vonage.com/en/voice/voice-api/ncco-reference#connect: only phone endpoints have `onAnswer`.
      throw new RunnerError("TRANSFER_UNSUPPORTED", "Vonage has no whisper for SIP addresses.", {
        fix: "Transfer to a phone number, or without a whisper.",
      });
    }
    const endpoint = isSip ? { type: "sip", uri: number } : { type: "phone", number: number.replace("+", "") };
    const onAnswer = url && { onAnswer: { url: url.href } };
    const from = call.direction === "outbound" ? call.from : call.to;
    const ncco = [{ action: "connect", from: from?.replace("+", ""), endpoint: [{ ...endpoint, ...onAnswer }] }];
    return requestOf("PUT", [call.callId], { action: "transfer", destination: { type: "ncco", ncco } }, options);
  },
  // Vonage's pause of 500 ms is a `p`.
  sendDtmf: (call, digits, options) =>
    requestOf("PUT", [call.callId, "dtmf"], { digits: digits.replaceAll("w", "p") }, options),
};

/** A request about a call, or for a new one. */
export function requestOf(
  method: "POST" | "PUT",
  path: readonly string[],
  body: object,
  options: VonageOptions,
): ApiRequest {
  return {
    method,
    url: apiPath(options.apiUrl, "v1", "calls", ...path),
    headers: { ...headersOf(options), "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

/** https://developer.vonage.com/en/getting-started/concepts/authentication#json-web-tokens */
function headersOf({ applicationId, privateKey }: VonageOptions): { readonly authorization: string } {
  return { authorization: `Bearer ${createJwt({ application_id: applicationId }, privateKey ?? "")}` };
}
