import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createVonageAccount } from "./caller.ts";
import { options } from "./options.ts";

const pem = String(createVonageAccount("a secret").privateKey.export({ type: "pkcs8", format: "pem" }));

test("reads settings from environment variables, the key also with escaped line breaks and in quotes", () => {
  for (const key of [pem, pem.replaceAll("\n", "\\n"), `"${pem.replaceAll("\n", "\\n")}"`]) {
    const env = {
      VONAGE_APPLICATION_ID: "an application",
      VONAGE_PRIVATE_KEY: key,
      VONAGE_SIGNATURE_SECRET: "a secret",
      VONAGE_SAMPLE_RATE: "24000",
      VONAGE_API_URL: "http://localhost:7870",
    };
    const { privateKey, ...others } = resolveOptions(options, { env });
    expect(privateKey?.export({ type: "pkcs8", format: "pem" })).toBe(pem);
    expect(others).toEqual({
      applicationId: "an application",
      signatureSecret: "a secret",
      sampleRate: 24_000,
      apiUrl: "http://localhost:7870",
      verifySignatures: true,
      allowDial: [],
      dialLimit: 10,
    });
  }
});

test("calls have 16,000 Hz by default", () => {
  expect(resolveOptions(options, { env: {} }).sampleRate).toBe(16_000);
});

test.each([{ VONAGE_PRIVATE_KEY: "/home/me/private.key" }, { VONAGE_SAMPLE_RATE: "44100" }])(
  "rejects %j by name, without the value of a key",
  (env) => {
    const [[name = "", value = ""] = []] = Object.entries(env);
    let message = "";
    try {
      resolveOptions(options, { env });
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(name);
    expect(message.includes(value)).toBe(name !== "VONAGE_PRIVATE_KEY");
  },
);
