import {
  apiPath,
  type CallOutcome,
  type CarrierDialing,
  element,
  textIn,
  xmlDocument,
} from "@pipecat-ts/runner-telephony";
import { authorization } from "./api.ts";
import type { PlivoOptions } from "./options.ts";

/** The values of `CallStatus` at the hang-up URL: https://www.plivo.com/docs/voice/use-cases/dial-status-reporting */
const outcomes: Readonly<Record<string, CallOutcome>> = {
  busy: "busy",
  "no-answer": "no-answer",
  timeout: "no-answer",
  failed: "failed",
  cancel: "failed",
  completed: "completed",
};

/**
 * Outbound calls: https://www.plivo.com/docs/voice/api/call/make-a-call and
 * https://www.plivo.com/docs/voice/api/call/machine-detection. The answer has the id of the request; webhooks have it beside the call's.
 */
export const dialing: CarrierDialing<PlivoOptions> = {
  request({ to, from, answerUrl, statusUrl, ringSeconds, machineDetection }, options) {
    const detection = {
      machine_detection: "true",
      machine_detection_url: statusUrl.href,
      machine_detection_method: "POST",
    };
    return {
      method: "POST",
      url: accountUrl(options, "Call"),
      headers: { authorization: authorization(options), "content-type": "application/json" },
      body: JSON.stringify({
        // Plivo's numbers have no plus.
        to: to.slice(1),
        from: from.slice(1),
        answer_url: answerUrl.href,
        answer_method: "POST",
        hangup_url: statusUrl.href,
        hangup_method: "POST",
        ring_timeout: ringSeconds,
        ...(machineDetection ? detection : {}),
      }),
    };
  },
  placedId: (answer) => textIn(answer, "request_uuid"),
  placedIdIn: ({ RequestUUID: requestId, ALegRequestUUID: legRequestId }) => legRequestId ?? requestId,
  // A call that nobody has answered can only be ended as a request.
  cancel: (requestId, options) => ({
    method: "DELETE",
    url: accountUrl(options, "Request", requestId),
    headers: { authorization: authorization(options) },
    isDone: ({ status }) => status === 404,
  }),
  outcome({ Event: event, Machine: isMachine, CallStatus: status = "" }) {
    if (event === "MachineDetection") return isMachine === "true" ? "machine" : undefined;
    return outcomes[status];
  },
  hangUp: xmlDocument(element("Response", {}, element("Hangup"))),
};

/** The API requires the slash at the end. */
function accountUrl({ apiUrl, authId = "" }: PlivoOptions, ...path: readonly string[]): URL {
  return apiPath(apiUrl, "v1", "Account", authId, ...path, "");
}
