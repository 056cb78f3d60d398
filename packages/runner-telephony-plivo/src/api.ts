import type { CallData } from "@pipecat-ts/runner-core";
import { apiPath, basicAuthorization, type CarrierApi } from "@pipecat-ts/runner-telephony";
import type { PlivoOptions } from "./options.ts";

/** Plivo's REST API for calls: https://www.plivo.com/docs/voice/api/call/hang-up-a-call */
export const api: CarrierApi<PlivoOptions> = {
  isReady: ({ authId, authToken }) => authId !== undefined && authToken !== undefined,
  fixes: ["Set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN."],
  // https://www.plivo.com/docs/account/api/account#retrieve-account-details
  probe: (options) => ({
    method: "GET",
    url: apiPath(options.apiUrl, "v1", "Account", options.authId ?? "", ""),
    headers: { authorization: authorization(options) },
  }),
  hangUp: (call, options) => ({
    method: "DELETE",
    url: callUrl(call, options),
    headers: { authorization: authorization(options) },
    isDone: ({ status }) => status === 404,
  }),
  whispers: ["say", "play"],
  // https://www.plivo.com/docs/voice/api/call/transfer-a-call
  transfer: (call, { documentUrl }, options) => ({
    method: "POST",
    url: callUrl(call, options),
    headers: { authorization: authorization(options), "content-type": "application/json" },
    body: JSON.stringify({ legs: "aleg", aleg_url: documentUrl().href, aleg_method: "POST" }),
  }),
};

/** The API requires the slash at the end. */
function callUrl({ callId }: CallData, { apiUrl, authId = "" }: PlivoOptions): URL {
  return apiPath(apiUrl, "v1", "Account", authId, "Call", callId, "");
}

export function authorization({ authId = "", authToken = "" }: PlivoOptions): string {
  return basicAuthorization(authId, authToken);
}
