import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { checkCredentials, credentialsOf, whatsappOptions } from "./options.ts";

test("credentials come from the environment variables of Pipecat's own runner", () => {
  const env = {
    WHATSAPP_APP_SECRET: "a secret",
    WHATSAPP_PHONE_NUMBER_ID: "1234",
    WHATSAPP_TOKEN: "a token",
    WHATSAPP_WEBHOOK_VERIFICATION_TOKEN: "a word",
  };
  const options = resolveOptions(whatsappOptions, { env });
  expect(checkCredentials(options)).toEqual({ state: "ready" });
  expect(credentialsOf(options)).toEqual({
    appSecret: "a secret",
    phoneNumberId: "1234",
    token: "a token",
    verificationToken: "a word",
  });
  expect(options.apiUrl).toBe("https://graph.facebook.com/v23.0");
  const custom = { ...env, WHATSAPP_API_URL: "http://127.0.0.1:1/v99.0" };
  expect(resolveOptions(whatsappOptions, { env: custom }).apiUrl).toBe("http://127.0.0.1:1/v99.0");
});
