import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createTelephonyPlugin } from "@pipecat-ts/runner-telephony";
import { carrier } from "./carrier.ts";
import type { TwilioOptions } from "./options.ts";

/** Phone calls over Twilio Media Streams. */
const plugin: TransportPlugin<TwilioOptions> = createTelephonyPlugin(carrier);
export default plugin;
