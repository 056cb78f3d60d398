import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";

test("reads settings from environment variables", () => {
  const publicKey = Buffer.alloc(32, 1).toString("base64");
  const env = {
    TELNYX_API_KEY: "a key",
    TELNYX_PUBLIC_KEY: publicKey,
    TELNYX_CODEC: "PCMA",
    TELNYX_L16_BYTE_ORDER: "big-endian",
    TELNYX_API_URL: "http://127.0.0.1:1",
  };
  expect(resolveOptions(options, { env })).toEqual({
    apiKey: "a key",
    publicKey,
    codec: "PCMA",
    l16ByteOrder: "big-endian",
    apiUrl: "http://127.0.0.1:1",
    verifySignatures: true,
  });
});
