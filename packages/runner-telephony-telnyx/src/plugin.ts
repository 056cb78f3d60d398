import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, earlyEvents, ids, recognizeCall } from "./codec.ts";
import { dialing } from "./dialing.ts";
import { options, type TelnyxOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls over Telnyx media streaming. */
const plugin: TransportPlugin<TelnyxOptions> = createTelephonyPlugin({
  name: "telnyx",
  title: "Telnyx",
  options,
  ids,
  wire: { earlyEvents, recognizeCall, createCodec },
  webhook,
  signatures,
  api,
  dialing,
  banner: (webhookUrl) => `Set the voice webhook of your TeXML application to ${webhookUrl.href}`,
});
export default plugin;
