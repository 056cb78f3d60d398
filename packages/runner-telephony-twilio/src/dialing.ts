import { type CallOutcome, type CarrierDialing, element, textIn, xmlDocument } from "@pipecat-ts/runner-telephony";
import { post } from "./api.ts";
import type { TwilioOptions } from "./options.ts";

/** The final values of `CallStatus`. */
const outcomes: Readonly<Record<string, CallOutcome>> = {
  busy: "busy",
  "no-answer": "no-answer",
  failed: "failed",
  canceled: "failed",
  completed: "completed",
};

/**
 * Outbound calls: https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource and
 * https://www.twilio.com/docs/voice/answering-machine-detection
 */
export const dialing: CarrierDialing<TwilioOptions> = {
  missing: ({ accountSid }) => (accountSid === undefined ? "Set TWILIO_ACCOUNT_SID." : undefined),
  request({ to, from, answerUrl, statusUrl, ringSeconds, machineDetection }, options) {
    const { accountSid = "" } = options;
    const fields = {
      To: to,
      From: from,
      Url: answerUrl.href,
      Method: "POST",
      // Without events, Twilio reports the end of the call only.
      StatusCallback: statusUrl.href,
      StatusCallbackMethod: "POST",
      Timeout: String(ringSeconds),
    };
    const detection = {
      MachineDetection: "Enable",
      AsyncAmd: "true",
      AsyncAmdStatusCallback: statusUrl.href,
      AsyncAmdStatusCallbackMethod: "POST",
    };
    return post(accountSid, ["Calls.json"], machineDetection ? { ...fields, ...detection } : fields, options);
  },
  placedId: (answer) => textIn(answer, "sid"),
  outcome({ AnsweredBy: answeredBy = "", CallStatus: status = "" }) {
    // A final report may repeat what answered.
    return outcomes[status] ?? (/^(machine_|fax)/.test(answeredBy) ? "machine" : undefined);
  },
  hangUp: xmlDocument(element("Response", {}, element("Hangup"))),
};
