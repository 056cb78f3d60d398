import type { Carrier } from "@pipecat-ts/runner-telephony";
import { api } from "./api.ts";
import { createCodec, earlyEvents, ids, recognizeCall } from "./codec.ts";
import { options, type TwilioOptions } from "./options.ts";
import { signatures } from "./signature.ts";
import { webhook } from "./webhook.ts";

export type { TwilioOptions } from "./options.ts";

/** Everything about Twilio. A package for a compatible carrier can use its parts. */
export const carrier: Carrier<TwilioOptions> & Required<Pick<Carrier<TwilioOptions>, "signatures" | "api">> = {
  name: "twilio",
  title: "Twilio",
  options,
  ids,
  wire: { earlyEvents, recognizeCall, createCodec },
  webhook,
  signatures,
  api,
  banner: (webhookUrl) => `Set "A call comes in" of your number to Webhook, HTTP POST, ${webhookUrl.href}`,
};
