import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { createCodec, recogniseCall } from "./codec.ts";
import { type ExotelOptions, options } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls by Exotel's Voicebot applet. */
const plugin: TransportPlugin<ExotelOptions> = createTelephonyPlugin({
  name: "exotel",
  title: "Exotel",
  options,
  wire: { recogniseCall, createCodec },
  webhook,
  signatures,
  setUp: (webhookUrl, socketUrl) => `Give a Voicebot applet the URL ${socketUrl.href}, or ${webhookUrl.href}`,
});
export default plugin;
