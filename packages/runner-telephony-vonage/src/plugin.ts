import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, earlyEvents, ids, recognizeCall } from "./codec.ts";
import { options, type VonageOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls over the WebSockets of Vonage's Voice API. */
const plugin: TransportPlugin<VonageOptions> = createTelephonyPlugin({
  name: "vonage",
  title: "Vonage",
  options,
  ids,
  wire: { earlyEvents, endsSilently: true, recognizeCall, createCodec },
  webhook,
  signatures,
  api,
  banner: (webhookUrl) => `Set the answer URL of your application's voice capability to HTTP POST, ${webhookUrl.href}`,
});
export default plugin;
