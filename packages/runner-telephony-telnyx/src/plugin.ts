import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, recogniseCall } from "./codec.ts";
import { options, type TelnyxOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls by Telnyx's media streaming. */
const plugin: TransportPlugin<TelnyxOptions> = createTelephonyPlugin({
  name: "telnyx",
  title: "Telnyx",
  options,
  wire: { recogniseCall, createCodec },
  webhook,
  signatures,
  api,
  setUp: (webhookUrl) => `Have the number's TeXML application send its voice webhook to ${webhookUrl.href}`,
});
export default plugin;
