import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, recogniseCall } from "./codec.ts";
import { options, type PlivoOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls by Plivo's audio streaming. */
const plugin: TransportPlugin<PlivoOptions> = createTelephonyPlugin({
  name: "plivo",
  title: "Plivo",
  options,
  wire: { endsSilently: true, recogniseCall, createCodec },
  webhook,
  signatures,
  api,
  setUp: (webhookUrl) => `Give the number an XML application with the answer URL ${webhookUrl.href}`,
});
export default plugin;
