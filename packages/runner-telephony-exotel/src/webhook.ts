import { type CarrierWebhook, present } from "@pipecat-ts/runner-telephony";
import type { ExotelOptions } from "./options.ts";

/** What a Voicebot applet asks whose URL is no socket's: it takes JSON with the socket's URL. */
export const webhook: CarrierWebhook<ExotelOptions> = {
  recogniseCall({ CallSid: callId, CallFrom, From, CallTo, To, Direction: direction }) {
    if (callId === undefined) return undefined;
    return { callId, callData: present({ from: CallFrom ?? From, to: CallTo ?? To, direction }) };
  },
  answer({ method, socketUrl, anySocketUrl }, { sampleRate }) {
    if (method !== "GET") return json(note(anySocketUrl));
    const url = socketUrl();
    if (sampleRate !== 8_000) url.searchParams.set("sample-rate", String(sampleRate));
    return json({ url: url.href });
  },
};

/** For whoever takes Exotel for a carrier with webhooks. */
function note(anySocketUrl: URL): object {
  return {
    error: "Exotel sends no webhook by POST",
    websocket_url: anySocketUrl.href,
    note: "Set this URL in a Voicebot applet of an App Bazaar flow, or have the applet GET this path.",
  };
}

function json(value: object): { readonly type: string; readonly body: string } {
  return { type: "application/json", body: JSON.stringify(value) };
}
