import { randomUUID } from "node:crypto";
import { createFakeCarrier, type FakeCarrier } from "@pipecat-ts/runner-telephony/caller";
import { createTwilioDialect } from "@pipecat-ts/runner-telephony-twilio/caller";

export interface SignalWireAccount {
  readonly projectId: string;
  readonly apiToken: string;
  readonly signingKey: string;
}

/** A SignalWire on this machine. */
export function createFakeSignalWire({ projectId, apiToken, signingKey }: SignalWireAccount): FakeCarrier {
  const { webhook, ...twilio } = createTwilioDialect({ accountSid: projectId, authToken: signingKey });
  const { api } = createTwilioDialect({ accountSid: projectId, authToken: apiToken });
  return createFakeCarrier({
    ...twilio,
    name: "signalwire",
    newIds: () => ({ callId: randomUUID(), streamId: randomUUID() }),
    webhook(call, url) {
      const request = webhook?.(call, url) ?? { method: "POST", url };
      const { "x-twilio-signature": signature = "", ...headers } = request.headers ?? {};
      return { ...request, headers: { ...headers, "x-signalwire-signature": signature } };
    },
    upgradeHeaders: () => ({}),
    api: ({ path, ...request }) => api?.({ ...request, path: path.replace(/^\/api\/laml/, "") }),
  });
}
