import { type CarrierWebhook, element, present, xmlDocument } from "@pipecat-ts/runner-telephony";
import type { TelnyxOptions } from "./options.ts";

/** What a TeXML application asks when a call comes in: https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream */
export const webhook: CarrierWebhook<TelnyxOptions> = {
  recogniseCall({ CallSid: callId, From: from, To: to, ConnectionId: connectionId }) {
    return callId === undefined ? undefined : { callId, callData: present({ from, to, connectionId }) };
  },
  answer({ socketUrl }, { codec }) {
    // Without `rtp`, Telnyx takes MP3 files and no frames.
    const stream = element("Stream", {
      url: socketUrl().href,
      bidirectionalMode: "rtp",
      bidirectionalCodec: codec,
    });
    return xmlDocument(element("Response", {}, element("Connect", {}, stream)));
  },
  busy: xmlDocument(element("Response", {}, element("Reject", { reason: "busy" }))),
};
