import { fuzzPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { afterAll, test } from "vitest";
import { createFakeTelnyx, createTelnyxAccount } from "./caller.ts";
import plugin from "./plugin.ts";

const carrier = createFakeTelnyx(createTelnyxAccount("a key"));
const api = await carrier.openApi();
afterAll(async () => await api.close());

const payload = Buffer.alloc(160, 0xff).toString("base64");

test("10,000 malformed messages do not end the call, and the bot still receives audio", async () => {
  await fuzzPhoneCall({
    plugin,
    options: { apiKey: "a key", apiUrl: api.url },
    carrier,
    api,
    samples: [
      { event: "connected", version: "1.0.0" },
      {
        event: "start",
        stream_id: "S2",
        start: { call_control_id: "C2", media_format: { encoding: "PCMU", sample_rate: 8000 } },
      },
      { event: "media", stream_id: "S1", media: { track: "inbound", chunk: "2", timestamp: "40", payload } },
      { event: "dtmf", stream_id: "S1", occurred_at: "2026-01-01T00:00:00Z", dtmf: { digit: "5" } },
      { event: "mark", stream_id: "S1", mark: { name: "1" } },
      { event: "error", stream_id: "S1", payload: { code: 100002, title: "malformed_frame" } },
      { event: "error", error: { code: "100005", title: "rate_limit_reached" } },
      { event: "stop", stream_id: "S1", stop: { call_control_id: "C1" } },
    ],
    ends: (message) => message.includes('"event":"stop"'),
    count: 10_000,
    seed: 4,
  });
});
