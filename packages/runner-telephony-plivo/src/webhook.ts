import { type CarrierWebhook, element, present, whisperXml, xmlDocument } from "@pipecat-ts/runner-telephony";
import type { PlivoOptions } from "./options.ts";

/** Plivo's answer URL, and its XML: https://www.plivo.com/docs/voice/xml/audiostream */
export const webhook: CarrierWebhook<PlivoOptions> = {
  recognizeCall({ CallUUID: callId, From: from, To: to, Direction: direction, Event: event }) {
    if (callId === undefined) return undefined;
    // Plivo sends hang-ups to the answer URL unless a hang-up URL is set.
    return { callId, ended: event === "Hangup", callData: present({ from, to, direction }) };
  },
  answer({ socketUrl }, { contentType }) {
    // Without keepCallAlive, the call ends at the end of the XML.
    const attributes = { bidirectional: "true", keepCallAlive: "true", contentType };
    return xmlDocument(element("Response", {}, element("Stream", attributes, socketUrl().href)));
  },
  busy: xmlDocument(element("Response", {}, element("Hangup", { reason: "busy" }))),
  ended: xmlDocument(element("Response")),
  // https://www.plivo.com/docs/voice/xml/dial
  transfer(number, whisperUrl) {
    const callee = element(/^sips?:/.test(number) ? "User" : "Number", {}, number);
    const dial = element("Dial", whisperUrl ? { confirmSound: whisperUrl.href } : {}, callee);
    return xmlDocument(element("Response", {}, dial));
  },
  whisper: (whisper) => whisperXml(whisper, "Speak"),
};
