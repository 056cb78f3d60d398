import { type CarrierWebhook, element, present, xmlDocument } from "@pipecat-ts/runner-telephony";
import type { TwilioOptions } from "./options.ts";

/** What Twilio asks when a call comes in, and TwiML: https://www.twilio.com/docs/voice/twiml/stream */
export const webhook: CarrierWebhook<TwilioOptions> = {
  recogniseCall({ CallSid: callId, From: from, To: to, AccountSid: accountSid, Direction: direction }) {
    return callId === undefined ? undefined : { callId, callData: present({ from, to, accountSid, direction }) };
  },
  answer({ socketUrl }) {
    // <Connect>, for <Start> would send nothing back. Without a verb behind it the call ends with the stream.
    const stream = element("Stream", { url: socketUrl().href });
    return xmlDocument(element("Response", {}, element("Connect", {}, stream)));
  },
  busy: xmlDocument(element("Response", {}, element("Reject", { reason: "busy" }))),
};
