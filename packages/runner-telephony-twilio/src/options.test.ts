import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";

test("reads settings from environment variables", () => {
  const env = {
    TWILIO_ACCOUNT_SID: "AC0123",
    TWILIO_AUTH_TOKEN: "a token",
    TWILIO_API_KEY: "SK0123",
    TWILIO_API_SECRET: "a secret",
    TWILIO_REGION: "ie1",
    TWILIO_EDGE: "dublin",
    TWILIO_API_URL: "http://127.0.0.1:1",
  };
  expect(resolveOptions(options, { env })).toEqual({
    accountSid: "AC0123",
    authToken: "a token",
    apiKey: "SK0123",
    apiSecret: "a secret",
    region: "ie1",
    edge: "dublin",
    apiUrl: "http://127.0.0.1:1",
    verifySignatures: true,
    allowDial: [],
    dialLimit: 10,
  });
});
