import { testPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { expect, test } from "vitest";
import { createFakeTwilio } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { accountSid: "AC0123", authToken: "a token" };
const publicUrl = new URL("https://voice.example.com");

test("a complete call: signed webhook and socket, greeting, echo, barge-in, DTMF, goodbye, hang-up", async () => {
  const carrier = createFakeTwilio(account);
  const api = await carrier.openApi();
  try {
    await testPhoneCall({
      plugin,
      options: { authToken: account.authToken, apiUrl: api.url },
      carrier,
      api,
      runner: { transport: "twilio", publicUrl },
      call: { publicUrl, path: "/" },
      levelToleranceDb: 1.5,
    });
    expect(api.requests).toMatchObject([{ method: "POST", body: "Status=completed" }]);
  } finally {
    await api.close();
  }
});
