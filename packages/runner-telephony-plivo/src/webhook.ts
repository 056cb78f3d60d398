import { type CarrierWebhook, element, present, xmlDocument } from "@pipecat-ts/runner-telephony";
import type { PlivoOptions } from "./options.ts";

/** What Plivo asks at the answer URL, and its XML: https://www.plivo.com/docs/voice/xml/audiostream */
export const webhook: CarrierWebhook<PlivoOptions> = {
  recogniseCall({ CallUUID: callId, From: from, To: to, Direction: direction, Event: event }) {
    if (callId === undefined) return undefined;
    // The hang-up URL is the answer URL unless another is set.
    return { callId, over: event === "Hangup", callData: present({ from, to, direction }) };
  },
  answer({ socketUrl }, { contentType }) {
    // Without keepCallAlive the call would end with the document.
    const attributes = { bidirectional: "true", keepCallAlive: "true", contentType };
    return xmlDocument(element("Response", {}, element("Stream", attributes, socketUrl().href)));
  },
  busy: xmlDocument(element("Response", {}, element("Hangup", { reason: "busy" }))),
  over: xmlDocument(element("Response")),
  transfer(number) {
    const isSip = /^sips?:/.test(number);
    return xmlDocument(element("Response", {}, element("Dial", {}, element(isSip ? "User" : "Number", {}, number))));
  },
};
