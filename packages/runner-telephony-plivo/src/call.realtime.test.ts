import { testPhoneCall } from "@pipecat-ts/runner-testing/phone";
import { expect, test } from "vitest";
import { createFakePlivo } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { authId: "MA0123", authToken: "a token" };
const publicUrl = new URL("https://voice.example.com");

test.each([
  { method: "POST", contentType: "audio/x-mulaw;rate=8000", levelToleranceDb: 1.5 },
  { method: "GET", contentType: "audio/x-l16;rate=8000", levelToleranceDb: 1 },
  { method: "POST", contentType: "audio/x-l16;rate=16000", levelToleranceDb: 1 },
] as const)("a whole call: answer URL by $method, $contentType", async ({ method, contentType, levelToleranceDb }) => {
  const carrier = createFakePlivo(account, method);
  const api = await carrier.openApi();
  try {
    await testPhoneCall({
      plugin,
      options: { ...account, contentType, verifySockets: true, apiUrl: api.url },
      carrier,
      api,
      runner: { publicUrl, transport: "plivo" },
      call: { publicUrl, path: "/" },
      levelToleranceDb,
    });
    expect(api.requests).toMatchObject([{ method: "DELETE", path: expect.stringMatching(/\/Call\/[^/]+\/$/) }]);
  } finally {
    await api.close();
  }
});
