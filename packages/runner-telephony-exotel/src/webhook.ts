import { type CarrierWebhook, present } from "@pipecat-ts/runner-telephony";
import type { ExotelOptions } from "./options.ts";

/** The request of a Voicebot applet with an https URL. The reply is JSON with the socket URL. */
export const webhook: CarrierWebhook<ExotelOptions> = {
  recognizeCall({ CallSid: callId, CallFrom, From, CallTo, To, Direction: direction }) {
    if (callId === undefined) return undefined;
    return { callId, callData: present({ from: CallFrom ?? From, to: CallTo ?? To, direction }) };
  },
  answer({ method, socketUrl, bareSocketUrl }, { sampleRate }) {
    if (method !== "GET") {
      // Other carriers send POST, so someone may expect the same of Exotel.
      return json({
        error: "Exotel does not send webhooks with POST",
        websocket_url: bareSocketUrl.href,
        note: "Set this URL in a Voicebot applet of an App Bazaar flow, or set the https URL of this path there.",
      });
    }
    return json({ url: withSampleRate(socketUrl(), sampleRate).href });
  },
};

/** The socket URL that requests a sample rate. */
export function withSampleRate(url: URL, sampleRate: ExotelOptions["sampleRate"]): URL {
  if (sampleRate !== 8_000) url.searchParams.set("sample-rate", String(sampleRate));
  return url;
}

function json(value: object): { readonly type: string; readonly body: string } {
  return { type: "application/json", body: JSON.stringify(value) };
}
