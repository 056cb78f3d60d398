import { fuzzPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { afterAll, test } from "vitest";
import { createFakeTwilio } from "./caller.ts";
import plugin from "./plugin.ts";

const carrier = createFakeTwilio({ accountSid: "AC1", authToken: "a token" });
const api = await carrier.openApi();
afterAll(async () => await api.close());

const payload = Buffer.alloc(160, 0xff).toString("base64");

test("10,000 malformed messages do not end the call, and the bot still receives audio", async () => {
  await fuzzPhoneCall({
    plugin,
    options: { accountSid: "AC1", authToken: "a token", apiUrl: api.url },
    carrier,
    api,
    samples: [
      { event: "connected", protocol: "Call", version: "1.0.0" },
      {
        event: "start",
        streamSid: "MZ2",
        start: { streamSid: "MZ2", callSid: "CA2", mediaFormat: { sampleRate: 8000 } },
      },
      { event: "media", streamSid: "MZ1", media: { track: "inbound", chunk: "2", timestamp: "40", payload } },
      { event: "dtmf", streamSid: "MZ1", dtmf: { track: "inbound_track", digit: "5" } },
      { event: "mark", streamSid: "MZ1", mark: { name: "1" } },
      { event: "stop", streamSid: "MZ1", stop: { callSid: "CA1" } },
    ],
    ends: (message) => message.includes('"event":"stop"'),
    count: 10_000,
    seed: 4,
  });
});
