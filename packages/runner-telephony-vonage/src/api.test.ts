import { createPublicKey } from "node:crypto";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { verifySignature } from "@vonage/jwt";
import { expect, test } from "vitest";
import { api } from "./api.ts";
import { createVonageAccount } from "./caller.ts";
import { options } from "./options.ts";

const { applicationId, privateKey } = createVonageAccount("a secret");
const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
const env = { VONAGE_APPLICATION_ID: applicationId, VONAGE_PRIVATE_KEY: pem };
const settings = resolveOptions(options, { env });
const publicKey = String(createPublicKey(privateKey).export({ type: "spki", format: "pem" }));
const call = { streamId: "S1", callId: "c1/../c2", to: "15550199" };

function tokenOf(request: { readonly headers?: Readonly<Record<string, string>> } | undefined): string {
  return request?.headers?.authorization?.replace("Bearer ", "") ?? "";
}

test("hangs up at the URL of the call, and accepts 404 as success", () => {
  const { method, url, body, isDone } = api.hangUp(call, settings);
  expect([method, url.href, body]).toEqual([
    "PUT",
    "https://api.nexmo.com/v1/calls/c1%2F..%2Fc2",
    '{"action":"hangup"}',
  ]);
  const isDoneWith = (status: number) => isDone?.({ status, headers: {}, body: "" });
  expect([404, 400, 401, 403, 429, 500].filter(isDoneWith)).toEqual([404]);
});

test("each request has a token of the application that Vonage's library verifies", () => {
  const tokens = [api.hangUp(call, settings), api.hangUp(call, settings)].map(tokenOf);
  expect(tokens.map((token) => verifySignature(token, publicKey))).toEqual([true, true]);
  const claims = tokens.map((token) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()));
  const nowS = Math.floor(Date.now() / 1000);
  for (const { application_id, iat, exp } of claims) {
    expect(application_id).toBe(applicationId);
    expect(Math.abs(iat - nowS)).toBeLessThan(10);
    expect(exp - iat).toBe(300);
  }
  expect(claims[0].jti).not.toBe(claims[1].jti);
});

test("a transfer connects the caller to a number or a SIP address, from the number that was called", () => {
  const ncco = (number: string, whisperUrl?: URL) => {
    const transfer = { number, documentUrl: () => new URL("https://unused.example"), whisperUrl: () => whisperUrl };
    const request = api.transfer?.(call, transfer, settings);
    return JSON.parse(request?.body ?? "");
  };
  const destination = (endpoint: object) => ({
    action: "transfer",
    destination: { type: "ncco", ncco: [{ action: "connect", from: "15550199", endpoint: [endpoint] }] },
  });
  expect(ncco("+15550123")).toEqual(destination({ type: "phone", number: "15550123" }));
  expect(ncco("sip:a@b.example")).toEqual(destination({ type: "sip", uri: "sip:a@b.example" }));
  const url = "https://bots.example.com/vonage?whisper=1";
  const onAnswer = { url };
  expect(ncco("+15550123", new URL(url))).toEqual(destination({ type: "phone", number: "15550123", onAnswer }));
  expect(() => ncco("sip:a@b.example", new URL(url))).toThrow("Vonage has no whisper for SIP addresses.");
});

test("the callee of an outbound call's transfer sees the number of the account, not that of the person who was called", () => {
  const outbound = { ...call, from: "+15550199", to: "+15550100", direction: "outbound" };
  const whisperUrl = () => undefined;
  const transfer = { number: "+15550123", documentUrl: () => new URL("https://unused.example"), whisperUrl };
  const { destination } = JSON.parse(api.transfer?.(outbound, transfer, settings).body ?? "");
  expect(destination.ncco[0].from).toBe("15550199");
});

test("sends DTMF, with Vonage's pauses", () => {
  const request = api.sendDtmf?.({ ...call, callId: "c1" }, "1w#", settings);
  expect([request?.method, request?.url.pathname, request?.body]).toEqual([
    "PUT",
    "/v1/calls/c1/dtmf",
    '{"digits":"1p#"}',
  ]);
});

test("the probe of doctor reads one call", () => {
  const request = api.probe?.(settings);
  expect([request?.method, request?.url.href]).toEqual(["GET", "https://api.nexmo.com/v1/calls?page_size=1"]);
  expect(verifySignature(tokenOf(request), publicKey)).toBe(true);
});
