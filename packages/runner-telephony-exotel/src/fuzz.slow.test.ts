import { fuzzPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { test } from "vitest";
import { createFakeExotel } from "./caller.ts";
import plugin from "./plugin.ts";

const payload = Buffer.alloc(1601, 0xff).toString("base64");

test("10,000 malformed messages do not end the call, and the bot still receives audio", async () => {
  await fuzzPhoneCall({
    plugin,
    carrier: createFakeExotel(),
    samples: [
      { event: "connected" },
      {
        event: "start",
        stream_sid: "S2",
        start: { stream_sid: "S2", call_sid: "C2", account_sid: "A", media_format: { sample_rate: "8000" } },
      },
      { event: "media", stream_sid: "S1", media: { chunk: "2", timestamp: "100", payload } },
      { event: "dtmf", stream_sid: "S1", dtmf: { digit: "5", duration: "100" } },
      { event: "mark", stream_sid: "S1", mark: { name: "1" } },
      { event: "clear", stream_sid: "S1" },
      { event: "stop", stream_sid: "S1", stop: { call_sid: "C1", reason: "callended" } },
    ],
    ends: (message) => message.includes('"event":"stop"'),
    count: 10_000,
    seed: 4,
  });
});
