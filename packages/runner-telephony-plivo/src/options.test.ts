import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";

test("reads settings from environment variables", () => {
  const env = {
    PLIVO_AUTH_ID: "MA0123",
    PLIVO_AUTH_TOKEN: "a token",
    PLIVO_VERIFY_SOCKETS: "yes",
    PLIVO_CONTENT_TYPE: "audio/x-l16;rate=16000",
    PLIVO_API_URL: "http://127.0.0.1:1",
  };
  expect(resolveOptions(options, { env })).toEqual({
    authId: "MA0123",
    authToken: "a token",
    verifySockets: true,
    contentType: "audio/x-l16;rate=16000",
    apiUrl: "http://127.0.0.1:1",
    verifySignatures: true,
    allowDial: [],
    dialLimit: 10,
  });
});
