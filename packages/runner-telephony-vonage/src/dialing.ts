import { type CallOutcome, type CarrierDialing, textIn } from "@pipecat-ts/runner-telephony";
import { requestOf } from "./api.ts";
import type { VonageOptions } from "./options.ts";

/** The final values of `status` of the event webhook, and `machine`. */
const outcomes: Readonly<Record<string, CallOutcome>> = {
  busy: "busy",
  timeout: "no-answer",
  unanswered: "no-answer",
  rejected: "failed",
  failed: "failed",
  cancelled: "failed",
  completed: "completed",
  machine: "machine",
};

/** Outbound calls: https://developer.vonage.com/en/api/voice#createCall */
export const dialing: CarrierDialing<VonageOptions> = {
  request({ to, from, answerUrl, statusUrl, ringSeconds, machineDetection }, options) {
    const body = {
      to: [endpointOf(to)],
      from: endpointOf(from),
      answer_url: [answerUrl.href],
      answer_method: "POST",
      event_url: [statusUrl.href],
      event_method: "POST",
      ringing_timer: ringSeconds,
      // The call goes on until the runner ends it.
      ...(machineDetection && { machine_detection: "continue" }),
    };
    return requestOf("POST", [], body, options);
  },
  placedId: (answer) => textIn(answer, "uuid"),
  callIdIn: ({ uuid }) => uuid,
  outcome: ({ status = "" }) => outcomes[status],
  // A call ends after the last action of its document.
  hangUp: { type: "application/json", body: "[]" },
};

/** Vonage writes phone numbers without a plus sign. */
function endpointOf(number: string): { readonly type: "phone"; readonly number: string } {
  return { type: "phone", number: number.slice(1) };
}
