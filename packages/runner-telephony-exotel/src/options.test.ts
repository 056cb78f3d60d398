import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";

test("reads settings from environment variables", () => {
  const env = {
    EXOTEL_ACCOUNT_SID: "acme1",
    EXOTEL_API_KEY: "a key",
    EXOTEL_API_TOKEN: "a token",
    EXOTEL_SAMPLE_RATE: "16000",
  };
  expect(resolveOptions(options, { env })).toEqual({
    apiKey: "a key",
    apiToken: "a token",
    accountSid: "acme1",
    apiUrl: "https://api.exotel.com",
    sampleRate: 16_000,
    verifySignatures: true,
    allowDial: [],
    dialLimit: 10,
  });
});
