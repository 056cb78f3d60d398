import { type Availability, isReachable, type RunnerSettings, type TransportPlugin } from "@pipecat-ts/runner-core";
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
  check: availabilityOf,
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
      advanced: {
        warmUp: calls.warmUp,
        banner: () =>
          isReachable(runner.settings)
            ? [`Set the webhook of your app, with the field "calls", to ${runner.url("/whatsapp").href}`]
            : [],
      },
    };
  },
};
export default plugin;

/** Throws OPTION_INVALID when a credential is missing and `--whatsapp` is set. */
function availabilityOf(options: WhatsAppOptions, settings: RunnerSettings): Availability {
  const availability = checkCredentials(options);
  if (availability.state !== "ready" || isReachable(settings)) return availability;
  const fix = "Start with --tunnel, or with --public-url\u00a0<https\u00a0URL>.";
  return { state: "limited", reason: "WhatsApp cannot reach this server.", fix };
}
