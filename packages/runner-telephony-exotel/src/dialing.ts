import {
  apiPath,
  basicAuthorization,
  type CallOutcome,
  type CarrierDialing,
  objectIn,
  textIn,
} from "@pipecat-ts/runner-telephony";
import type { ExotelOptions } from "./options.ts";
import { withSampleRate } from "./webhook.ts";

/** The values of `Status`: https://developer.exotel.com/docs/voice-v1/api-reference/status-callback */
const outcomes: Readonly<Record<string, CallOutcome>> = {
  busy: "busy",
  "no-answer": "no-answer",
  failed: "failed",
  completed: "completed",
};

/**
 * Outbound calls: https://developer.exotel.com/docs/agentstream/connect-voice-ai. Exotel connects an answered call to the socket in
 * the request. It can neither cancel a call nor detect machines.
 */
export const dialing: CarrierDialing<ExotelOptions> = {
  missing: ({ accountSid, apiKey, apiToken }) =>
    [accountSid, apiKey, apiToken].includes(undefined)
      ? "Set EXOTEL_ACCOUNT_SID, EXOTEL_API_KEY and EXOTEL_API_TOKEN."
      : undefined,
  request({ to, from, statusUrl, socketUrl, ringSeconds }, options) {
    const { apiUrl, accountSid = "", apiKey = "", apiToken = "", sampleRate } = options;
    const fields = {
      From: to,
      CallerId: from,
      StreamUrl: withSampleRate(socketUrl(), sampleRate).href,
      StreamType: "bidirectional",
      TimeOut: String(ringSeconds),
      StatusCallback: statusUrl.href,
      "StatusCallbackEvents[0]": "terminal",
      StatusCallbackContentType: "application/json",
    };
    return {
      method: "POST",
      url: apiPath(apiUrl, "v1", "Accounts", accountSid, "Calls", "connect.json"),
      headers: {
        authorization: basicAuthorization(apiKey, apiToken),
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams(fields).toString(),
    };
  },
  placedId: (answer) => textIn(objectIn(answer, "Call"), "Sid"),
  outcome: ({ Status: status = "" }) => outcomes[status],
  hasUnsignedStatus: true,
  cannotDetectMachines: true,
};
