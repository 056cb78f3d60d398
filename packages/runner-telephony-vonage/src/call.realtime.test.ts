import { testPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { expect, test } from "vitest";
import { createFakeVonage, createVonageAccount } from "./caller.ts";
import plugin from "./plugin.ts";

const publicUrl = new URL("https://voice.example.com");
const account = createVonageAccount("a secret");

test.each([8_000, 16_000, 24_000] as const)("a whole call at %i Hz", async (sampleRate) => {
  const carrier = createFakeVonage(account);
  const api = await carrier.openApi();
  try {
    await testPhoneCall({
      plugin,
      options: { ...account, sampleRate, apiUrl: api.url },
      carrier,
      api,
      runner: { publicUrl },
      call: { publicUrl },
      levelToleranceDb: 1,
    });
    expect(api.requests).toMatchObject([{ method: "PUT", body: '{"action":"hangup"}' }]);
  } finally {
    await api.close();
  }
});
