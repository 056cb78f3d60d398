import type { CallData } from "@pipecat-ts/runner-core";
import { type ApiRequest, apiPath, type CarrierApi } from "@pipecat-ts/runner-telephony";
import type { TelnyxOptions } from "./options.ts";

/** Telnyx's call commands: https://developers.telnyx.com/api-reference/call-commands/hangup-call */
export const api: CarrierApi<TelnyxOptions> = {
  isReady: ({ apiKey }) => apiKey !== undefined,
  fixes: ["Set TELNYX_API_KEY."],
  // https://developers.telnyx.com/api-reference/billing/get-user-balance-details
  probe: ({ apiUrl, apiKey }) => ({
    method: "GET",
    url: apiPath(apiUrl, "v2", "balance"),
    headers: { authorization: `Bearer ${apiKey ?? ""}` },
  }),
  hangUp: (call, options) => ({
    ...command(call, "hangup", {}, options),
    // Error 90018: the call has ended.
    isDone: ({ status, body }) => status === 404 || (status === 422 && /"code"\s*:\s*"?90018\b/.test(body)),
  }),
  // Telnyx plays a file to the callee, and speaks no text: https://developers.telnyx.com/api-reference/call-commands/transfer-call
  whispers: ["play"],
  transfer(call, { number: to, whisper }, options) {
    const audio = whisper && "play" in whisper ? { audio_url: whisper.play } : {};
    // By default, Telnyx shows the callee the `to` of the call: in an outbound call, the number of the person who was called.
    const caller = call.direction === "outbound" ? { from: call.from } : {};
    return command(call, "transfer", { to, ...caller, ...audio }, options);
  },
  sendDtmf: (call, digits, options) => command(call, "send_dtmf", { digits }, options),
};

function command(call: CallData, action: string, parameters: object, options: TelnyxOptions): ApiRequest {
  return {
    method: "POST",
    url: apiPath(options.apiUrl, "v2", "calls", call.callId, "actions", action),
    headers: { authorization: `Bearer ${options.apiKey ?? ""}`, "content-type": "application/json" },
    body: JSON.stringify(parameters),
  };
}
