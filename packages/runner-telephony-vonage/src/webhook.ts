import { type CarrierWebhook, present } from "@pipecat-ts/runner-telephony";
import type { VonageOptions } from "./options.ts";

/** The statuses with which the event webhook reports the end of a call. */
const endings: readonly string[] = ["busy", "cancelled", "completed", "failed", "rejected", "timeout", "unanswered"];

/** Vonage's answer and event webhooks: https://developer.vonage.com/en/voice/voice-api/webhook-reference */
export const webhook: CarrierWebhook<VonageOptions> = {
  // Only events have a status or a time. Those of other legs have other ids.
  recognizeCall({ uuid: callId, from, to, conversation_uuid: conversationId, status, timestamp }) {
    const ended = status !== undefined && endings.includes(status);
    const isEvent = status !== undefined || timestamp !== undefined;
    if (callId === undefined || (isEvent && !ended)) return undefined;
    return { callId, ended, callData: present({ from, to, conversationId }) };
  },
  // https://developer.vonage.com/en/voice/voice-api/ncco-reference#connect
  answer({ call, socketUrl }, { sampleRate }) {
    // Other events need no reply.
    if (!call) return { type: "text/plain", body: "" };
    const endpoint = {
      type: "websocket",
      uri: socketUrl().href,
      "content-type": `audio/l16;rate=${sampleRate}`,
      headers: { uuid: call.callId },
    };
    return { type: "application/json", body: JSON.stringify([{ action: "connect", endpoint: [endpoint] }]) };
  },
  // https://developer.vonage.com/en/voice/voice-api/ncco-reference#talk
  whisper(whisper) {
    const action =
      "play" in whisper
        ? { action: "stream", streamUrl: [whisper.play] }
        : { action: "talk", text: whisper.say, ...(whisper.language && { language: whisper.language }) };
    return { type: "application/json", body: JSON.stringify([action]) };
  },
};
