import { testPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { test } from "vitest";
import { createFakeExotel } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { apiKey: "a key", apiToken: "a token" };
const publicUrl = new URL("https://voice.example.com");

test.each([8_000, 16_000, 24_000] as const)(
  "a complete call at %i Hz, with the credentials of the applet's URL",
  async (sampleRate) => {
    await testPhoneCall({
      plugin,
      options: account,
      carrier: createFakeExotel(account, { sampleRate }),
      runner: { publicUrl },
      call: { publicUrl },
      levelToleranceDb: 1,
    });
  },
);

test("a complete call over a socket URL that the applet requested", async () => {
  await testPhoneCall({
    plugin,
    options: { ...account, sampleRate: 16_000 },
    carrier: createFakeExotel(account, { dynamic: true }),
    runner: { publicUrl },
    call: { publicUrl },
    levelToleranceDb: 1,
  });
});
