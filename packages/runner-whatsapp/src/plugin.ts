import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { openCalls } from "@pipecat-ts/runner-webrtc";
import { createWhatsAppApi } from "./api.ts";
import { doctorChecks } from "./doctor.ts";
import { createIncomingCalls } from "./incoming-calls.ts";
import { checkCredentials, credentialsOf, type WhatsAppOptions, whatsappOptions } from "./options.ts";
import { webhookRoutes } from "./webhook.ts";

/** Takes calls to a WhatsApp business number, for bots of the transport `webrtc`. */
const plugin: TransportPlugin<WhatsAppOptions> = {
  apiVersion: 1,
  name: "whatsapp",
  options: whatsappOptions,
  check: checkCredentials,
  advanced: { alwaysOpen: true, runsAs: "webrtc", doctor: doctorChecks },
  open(runner, options) {
    const credentials = credentialsOf(options);
    const { phoneNumberId, token } = credentials;
    // In WhatsApp's examples the business is the DTLS client. The other role is not known to work.
    const calls = openCalls(runner, { ...options, opensDtls: true });
    const api = createWhatsAppApi({ apiUrl: options.apiUrl, phoneNumberId, token });
    const incoming = createIncomingCalls({ runner, calls, api, phoneNumberId });
    return {
      routes: webhookRoutes({ ...credentials, take: incoming.take }),
      close: incoming.close,
      advanced: { warmUp: calls.warmUp, banner: () => [`${runner.url("/whatsapp").href} accepts webhooks`] },
    };
  },
};
export default plugin;
