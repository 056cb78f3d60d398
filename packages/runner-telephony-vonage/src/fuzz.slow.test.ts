import { fuzzPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { afterAll, test } from "vitest";
import { createFakeVonage, createVonageAccount } from "./caller.ts";
import plugin from "./plugin.ts";

const { applicationId, privateKey } = createVonageAccount("a secret");
const carrier = createFakeVonage({ applicationId, privateKey, signatureSecret: undefined });
const api = await carrier.openApi();
afterAll(async () => await api.close());

const uuid = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";

test("10,000 malformed messages do not end the call, and the bot still receives audio", async () => {
  await fuzzPhoneCall({
    plugin,
    options: { applicationId, privateKey, apiUrl: api.url },
    carrier,
    api,
    samples: [
      { event: "websocket:connected", "content-type": "audio/l16;rate=16000", uuid },
      { event: "websocket:dtmf", digit: "5", duration: 260 },
      { event: "websocket:notify", payload: { mark: "1" } },
      { event: "websocket:cleared" },
    ],
    ends: () => false,
    count: 10_000,
    seed: 4,
  });
});
