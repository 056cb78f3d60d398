import { type CarrierWebhook, element, present, whisperXml, xmlDocument } from "@pipecat-ts/runner-telephony";
import type { TwilioOptions } from "./options.ts";

/** Twilio's webhook for incoming calls, and its TwiML: https://www.twilio.com/docs/voice/twiml/stream */
export const webhook: CarrierWebhook<TwilioOptions> = {
  recognizeCall({ CallSid: callId, From: from, To: to, AccountSid: accountSid, Direction: direction }) {
    return callId === undefined ? undefined : { callId, callData: present({ from, to, accountSid, direction }) };
  },
  answer({ socketUrl }) {
    // <Start> would not take audio from the bot. Without another verb after <Connect>, the call ends with the stream.
    const stream = element("Stream", { url: socketUrl().href });
    return xmlDocument(element("Response", {}, element("Connect", {}, stream)));
  },
  // https://www.twilio.com/docs/voice/twiml/say
  whisper: (whisper) => whisperXml(whisper, "Say"),
  busy: xmlDocument(element("Response", {}, element("Reject", { reason: "busy" }))),
};
