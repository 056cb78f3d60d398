import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { api } from "./api.ts";
import { options } from "./options.ts";

test("the probe of doctor reads the balance", () => {
  const request = api.probe?.(resolveOptions(options, { given: { apiKey: "a key" }, env: {} }));
  expect([request?.method, request?.url.href]).toEqual(["GET", "https://api.telnyx.com/v2/balance"]);
  expect(request?.headers?.authorization).toBe("Bearer a key");
});

test("the callee of an outbound call's transfer sees the number of the account, not that of the person who was called", () => {
  const settings = resolveOptions(options, { given: { apiKey: "a key" }, env: {} });
  const documentUrl = () => new URL("https://unused.example");
  const transfer = { number: "+15550123", documentUrl, whisperUrl: () => undefined };
  const call = { streamId: "S1", callId: "C1", from: "+15550199", to: "+15550100" };
  const bodyOf = (direction: string) =>
    JSON.parse(api.transfer?.({ ...call, direction }, transfer, settings).body ?? "");
  expect(bodyOf("outbound")).toEqual({ to: "+15550123", from: "+15550199" });
  expect(bodyOf("inbound")).toEqual({ to: "+15550123" });
});
