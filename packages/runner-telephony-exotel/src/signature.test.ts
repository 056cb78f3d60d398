import type { SignedRequest } from "@pipecat-ts/runner-telephony";
import { expect, test } from "vitest";
import { signatures } from "./signature.ts";

test("a request that doctor signs is valid", () => {
  const [url, form] = ["https://bots.example.com/exotel?doctor=1", new URLSearchParams()];
  const headers = signatures.sign?.({ method: "POST", url, form }, "Basic a") ?? {};
  expect(signatures.verifyWebhook?.({ headers } as Partial<SignedRequest> as SignedRequest, "Basic a")).toBe(true);
});
