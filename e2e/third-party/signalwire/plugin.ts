import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  type CarrierOptions,
  createTelephonyPlugin,
  environmentOption,
  type SignedRequest,
} from "@pipecat-ts/runner-telephony";
import { type TwilioOptions, carrier as twilio } from "@pipecat-ts/runner-telephony-twilio/carrier";
import * as Type from "typebox";

// SignalWire's Compatibility API: Twilio's documents, messages and REST API, with other ids, hosts and signature headers.
// https://developer.signalwire.com/compatibility-api

interface SignalWireOptions extends CarrierOptions {
  readonly projectId: string | undefined;
  readonly apiToken: string | undefined;
  readonly signingKey: string | undefined;
  /** The space of the project: `https://example.signalwire.com`. */
  readonly spaceUrl: string | undefined;
}

const { verifySignatures, allowDial, dialLimit } = twilio.options;
const options: OptionTable<SignalWireOptions> = {
  projectId: environmentOption("SIGNALWIRE_PROJECT_ID", "ID of the project"),
  apiToken: environmentOption("SIGNALWIRE_API_TOKEN", "API token", { secret: true }),
  signingKey: environmentOption("SIGNALWIRE_SIGNING_KEY", "Signing key of the project", { secret: true }),
  spaceUrl: {
    env: "SIGNALWIRE_SPACE_URL",
    description: "URL of the space",
    schema: Type.Refine(Type.String({ description: "a URL like https://example.signalwire.com" }), URL.canParse),
  },
  ...{ verifySignatures, allowDial, dialLimit },
};

/** The settings of Twilio's API for the same account. */
function twilioOptions({ projectId, apiToken, spaceUrl = "", ...common }: SignalWireOptions): TwilioOptions {
  const none = { apiKey: undefined, apiSecret: undefined, region: undefined, edge: undefined };
  return { ...common, ...none, accountSid: projectId, authToken: apiToken, apiUrl: `${spaceUrl}/api/laml` };
}

const { wire, webhook, signatures, api } = twilio;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export default createTelephonyPlugin<SignalWireOptions>({
  name: "signalwire",
  title: "SignalWire",
  options,
  ids: { call: uuid, stream: uuid },
  wire: {
    ...wire,
    createCodec: (start, call, options) => wire.createCodec(start, call, twilioOptions(options)),
  },
  webhook: { ...webhook, answer: (request, options) => webhook.answer(request, twilioOptions(options)) },
  // https://developer.signalwire.com/guides/webhook-security
  signatures: {
    covers: "url",
    fix: "Set SIGNALWIRE_SIGNING_KEY.",
    secret: ({ signingKey }) => signingKey,
    verifyWebhook: (request, key) => signatures.verifyWebhook?.(withTwilioHeader(request), key) ?? false,
  },
  api: {
    isReady: ({ projectId, apiToken, spaceUrl }) => [projectId, apiToken, spaceUrl].every((text) => text !== undefined),
    fixes: ["Set SIGNALWIRE_PROJECT_ID, SIGNALWIRE_API_TOKEN and SIGNALWIRE_SPACE_URL."],
    hangUp: (call, options) => ({
      ...api.hangUp(call, twilioOptions(options)),
      isDone: ({ status }) => status === 404,
    }),
  },
  banner: (webhookUrl) => `Set the cXML webhook of your number to POST, ${webhookUrl.href}`,
});

function withTwilioHeader(request: SignedRequest): SignedRequest {
  return { ...request, headers: { "x-twilio-signature": request.headers["x-signalwire-signature"] } };
}
