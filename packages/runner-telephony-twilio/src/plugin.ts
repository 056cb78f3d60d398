import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, recogniseCall } from "./codec.ts";
import { options, type TwilioOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls by Twilio's Media Streams. */
const plugin: TransportPlugin<TwilioOptions> = createTelephonyPlugin({
  name: "twilio",
  title: "Twilio",
  options,
  wire: { recogniseCall, createCodec },
  webhook,
  signatures,
  api,
  setUp: (webhookUrl) => `Have the number's "A call comes in" send HTTP POST to ${webhookUrl.href}`,
});
export default plugin;
