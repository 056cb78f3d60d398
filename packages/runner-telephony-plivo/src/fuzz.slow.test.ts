import { fuzzPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { afterAll, test } from "vitest";
import { createFakePlivo } from "./caller.ts";
import plugin from "./plugin.ts";

const carrier = createFakePlivo({ authId: "MA1", authToken: "a token" });
const api = await carrier.openApi();
afterAll(async () => await api.close());

const payload = Buffer.alloc(160, 0xff).toString("base64");

test("10,000 malformed messages do not end the call, and the bot still receives audio", async () => {
  await fuzzPhoneCall({
    plugin,
    options: { authId: "MA1", authToken: "a token", apiUrl: api.url },
    carrier,
    api,
    samples: [
      {
        event: "start",
        sequenceNumber: 1,
        start: { callId: "C2", streamId: "S2", mediaFormat: { encoding: "audio/x-l16" } },
      },
      { event: "media", streamId: "S1", media: { track: "inbound", chunk: 2, timestamp: "1760000000040", payload } },
      { event: "dtmf", streamId: "S1", dtmf: { track: "inbound", digit: "5" } },
      { event: "playedStream", streamId: "S1", name: "1" },
      { event: "clearedAudio", streamId: "S1" },
      { event: "stop", streamId: "S1" },
    ],
    ends: () => false,
    count: 10_000,
    seed: 4,
  });
});
