import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { openCalls } from "@pipecat-ts/runner-webrtc";
import { createGraph } from "./graph.ts";
import { createIncomingCalls } from "./incoming-calls.ts";
import { checkCredentials, credentialsOf, type WhatsAppOptions, whatsappOptions } from "./options.ts";
import { webhookRoutes } from "./webhook.ts";

/**
 * Calls that people make to a business on WhatsApp. Their bots are those of WebRTC: nobody chooses this transport, and it
 * takes calls whatever transport the runner is restricted to.
 */
const plugin: TransportPlugin<WhatsAppOptions> = {
  name: "whatsapp",
  selectable: false,
  options: whatsappOptions,
  check: checkCredentials,
  async open(runner, options) {
    const credentials = credentialsOf(options);
    const { phoneNumberId, token } = credentials;
    // WhatsApp's own examples have the business open DTLS, and no other way is known to work.
    const calls = await openCalls(runner, { ...options, opensDtls: true });
    const graph = createGraph({ apiUrl: options.apiUrl, phoneNumberId, token });
    const incoming = createIncomingCalls({ runner, calls, graph, phoneNumberId });
    return {
      routes: webhookRoutes({ ...credentials, take: incoming.take }),
      banner: () => [`${runner.urlFor("/whatsapp").href} takes webhooks`],
      close: incoming.close,
    };
  },
};
export default plugin;
