import { testPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { expect, test } from "vitest";
import { createFakeTelnyx, createTelnyxAccount } from "./caller.ts";
import plugin from "./plugin.ts";

const publicUrl = new URL("https://voice.example.com");

test.each([
  { leg: "PCMU", codec: "PCMU" },
  { leg: "PCMA", codec: "PCMU" },
  { leg: "PCMU", codec: "PCMA" },
  { leg: "L16", codec: "L16" },
  { leg: "PCMA", codec: "L16" },
  { leg: "OPUS", codec: "OPUS" },
  { leg: "PCMA", codec: "OPUS" },
] as const)("a whole call: the caller's phone has $leg, Telnyx is sent $codec", async ({ leg, codec }) => {
  const account = createTelnyxAccount("a key");
  const carrier = createFakeTelnyx(account, leg);
  const api = await carrier.openApi();
  try {
    await testPhoneCall({
      plugin,
      options: { apiKey: account.apiKey, publicKey: account.publicKey, codec, apiUrl: api.url },
      carrier,
      api,
      runner: { publicUrl },
      call: { publicUrl, callId: "v3:a/b+c/d-e_f/0123==" },
      levelToleranceDb: 1.5,
    });
    expect(api.requests).toMatchObject([
      { method: "POST", path: "/v2/calls/v3%3Aa%2Fb%2Bc%2Fd-e_f%2F0123%3D%3D/actions/hangup" },
    ]);
  } finally {
    await api.close();
  }
});
