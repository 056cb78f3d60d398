import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { api } from "./api.ts";
import { options } from "./options.ts";

const settings = resolveOptions(options, { given: { authId: "MA1", authToken: "a token" }, env: {} });
const call = { streamId: "S1", callId: "c1/../c2" };

test("hangs up at the URL of the call, and accepts 404 as success", () => {
  const { method, url, isDone } = api.hangUp(call, settings);
  expect([method, url.href]).toEqual(["DELETE", "https://api.plivo.com/v1/Account/MA1/Call/c1%2F..%2Fc2/"]);
  const isDoneWith = (status: number) => isDone?.({ status, headers: {}, body: '{"error":"not found"}' });
  expect([404, 401, 400, 405, 500].filter(isDoneWith)).toEqual([404]);
});

test("a transfer names the URL of the document", () => {
  const documentUrl = () => new URL("https://bots.example.com/plivo?a=1");
  const request = api.transfer?.(call, { number: "+15550123", documentUrl, whisperUrl: () => undefined }, settings);
  expect(JSON.parse(request?.body ?? "")).toEqual({
    legs: "aleg",
    aleg_url: "https://bots.example.com/plivo?a=1",
    aleg_method: "POST",
  });
});

test("the probe of doctor reads the account", () => {
  const request = api.probe?.(settings);
  expect([request?.method, request?.url.href]).toEqual(["GET", "https://api.plivo.com/v1/Account/MA1/"]);
  expect(request?.headers?.authorization).toBe(`Basic ${Buffer.from("MA1:a token").toString("base64")}`);
});
