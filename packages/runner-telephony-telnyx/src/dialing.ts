import { apiPath, type CallOutcome, type CarrierDialing, element, xmlDocument } from "@pipecat-ts/runner-telephony";
import type { TelnyxOptions } from "./options.ts";

/** The final values of `CallStatus`. */
const outcomes: Readonly<Record<string, CallOutcome>> = {
  busy: "busy",
  "no-answer": "no-answer",
  failed: "failed",
  canceled: "failed",
  completed: "completed",
};

/**
 * Outbound calls of a TeXML application: https://developers.telnyx.com/api-reference/texml-rest-commands/initiate-an-outbound-call and
 * https://developers.telnyx.com/docs/voice/programmable-voice/texml-answering-machine
 */
export const dialing: CarrierDialing<TelnyxOptions> = {
  missing: ({ accountSid, applicationSid }) =>
    accountSid === undefined || applicationSid === undefined
      ? "Set TELNYX_ACCOUNT_SID and TELNYX_APPLICATION_SID."
      : undefined,
  request({ to, from, answerUrl, statusUrl, ringSeconds, machineDetection }, options) {
    const { apiUrl, apiKey = "", accountSid = "", applicationSid } = options;
    const detection = {
      MachineDetection: "Enable",
      AsyncAmd: true,
      AsyncAmdStatusCallback: statusUrl.href,
      AsyncAmdStatusCallbackMethod: "POST",
    };
    return {
      method: "POST",
      url: apiPath(apiUrl, "v2", "texml", "Accounts", accountSid, "Calls"),
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({
        ApplicationSid: applicationSid,
        To: to,
        From: from,
        Url: answerUrl.href,
        UrlMethod: "POST",
        StatusCallback: statusUrl.href,
        StatusCallbackMethod: "POST",
        // The answer has no call id: the first event tells it.
        StatusCallbackEvent: "initiated completed",
        Timeout: ringSeconds,
        ...(machineDetection ? detection : {}),
      }),
    };
  },
  outcome({ AnsweredBy: answeredBy = "", CallStatus: status = "" }) {
    // A final report may repeat what answered.
    return outcomes[status] ?? (/^(machine|fax)/.test(answeredBy) ? "machine" : undefined);
  },
  hangUp: xmlDocument(element("Response", {}, element("Hangup"))),
};
