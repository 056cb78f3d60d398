import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, earlyEvents, ids, recognizeCall } from "./codec.ts";
import { dialing } from "./dialing.ts";
import { options, type TwilioOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

/** Phone calls over Twilio Media Streams. */
const plugin: TransportPlugin<TwilioOptions> = createTelephonyPlugin({
  name: "twilio",
  title: "Twilio",
  options,
  ids,
  wire: { earlyEvents, recognizeCall, createCodec },
  webhook,
  signatures,
  api,
  dialing,
  banner: (webhookUrl) => `Set "A call comes in" of your number to Webhook, HTTP POST, ${webhookUrl.href}`,
});
export default plugin;
