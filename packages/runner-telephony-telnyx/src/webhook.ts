import { type CarrierWebhook, element, present, xmlDocument } from "@pipecat-ts/runner-telephony";
import { isWideband, type TelnyxOptions, wideSampleRate } from "./options.ts";

/** The webhook of a TeXML application: https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream */
export const webhook: CarrierWebhook<TelnyxOptions> = {
  recognizeCall({ CallSid: callId, From: from, To: to, ConnectionId: connectionId }) {
    return callId === undefined ? undefined : { callId, callData: present({ from, to, connectionId }) };
  },
  answer({ socketUrl }, { codec }) {
    // Without `rtp`, Telnyx accepts only MP3 files.
    const stream = element("Stream", {
      url: socketUrl().href,
      bidirectionalMode: "rtp",
      bidirectionalCodec: codec,
      // The page does not list L16; the socket's does: https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
      ...(isWideband(codec) ? { bidirectionalSamplingRate: String(wideSampleRate), codec } : {}),
    });
    return xmlDocument(element("Response", {}, element("Connect", {}, stream)));
  },
  busy: xmlDocument(element("Response", {}, element("Reject", { reason: "busy" }))),
};
