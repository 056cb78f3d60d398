import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { api } from "./api.ts";
import { options } from "./options.ts";

test("the probe of doctor reads the balance", () => {
  const request = api.probe?.(resolveOptions(options, { given: { apiKey: "a key" }, env: {} }));
  expect([request?.method, request?.url.href]).toEqual(["GET", "https://api.telnyx.com/v2/balance"]);
  expect(request?.headers?.authorization).toBe("Bearer a key");
});
