import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, earlyEvents, ids, recognizeCall } from "./codec.ts";
import { dialing } from "./dialing.ts";
import { options, type PlivoOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls over Plivo audio streaming. */
const plugin: TransportPlugin<PlivoOptions> = createTelephonyPlugin({
  name: "plivo",
  title: "Plivo",
  options,
  ids,
  wire: { earlyEvents, endsSilently: true, recognizeCall, createCodec },
  webhook,
  signatures,
  api,
  dialing,
  banner: (webhookUrl) => `Set the answer URL of your number's XML application to ${webhookUrl.href}`,
});
export default plugin;
