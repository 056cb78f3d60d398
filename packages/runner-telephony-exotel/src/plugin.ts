import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { createCodec, earlyEvents, ids, recognizeCall } from "./codec.ts";
import { dialing } from "./dialing.ts";
import { type ExotelOptions, options } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls over Exotel's Voicebot applet. */
const plugin: TransportPlugin<ExotelOptions> = createTelephonyPlugin({
  name: "exotel",
  title: "Exotel",
  options,
  ids,
  wire: { earlyEvents, recognizeCall, createCodec },
  webhook,
  signatures,
  dialing,
  banner: (webhookUrl, socketUrl) => `Set the URL of a Voicebot applet to ${socketUrl.href} or ${webhookUrl.href}`,
});
export default plugin;
