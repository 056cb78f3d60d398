import { resolveOptions } from "@pipecat-ts/runner-core";
import type { SignedRequest } from "@pipecat-ts/runner-telephony";
import { describe, expect, test } from "vitest";
import { options } from "./options.ts";
import { signatures } from "./signature.ts";

const token = "a token";
const nonce = "12345678901234567890";

const chosen = (verifySockets: boolean) => resolveOptions(options, { given: { verifySockets }, env: {} });

function request(method: string, url: string, body: string, headers: Readonly<Record<string, string>>): SignedRequest {
  return {
    method,
    url,
    headers: { "x-plivo-signature-v3-nonce": nonce, ...headers },
    rawBody: body,
    form: new URLSearchParams(body),
    request: undefined as never,
  };
}

// Computed independently by Plivo's rule: HMAC-SHA256 over "URL?sorted=query.sortedfields.nonce".
describe("a webhook signature", () => {
  test.each([
    [
      "GET",
      "https://bots.example.com/plivo?To=15550199&CallUUID=c1&From=15550100",
      "",
      "nHAywD/9JvQynreBn+CD5KHQdR1O7DBMVLbwztRiBag=",
    ],
    ["GET", "https://bots.example.com/plivo", "", "qdRQGxtJasVXmNVj1L9ND8MYMHlq6qV/0sG5NYrzatQ="],
    [
      "POST",
      "https://bots.example.com/plivo",
      "To=15550199&CallUUID=c1&From=15550100",
      "4jALGMKjfNn6qQoPcluD/75Jehayy/r5ojYA6qAwxEw=",
    ],
    [
      "POST",
      "https://bots.example.com/plivo?b=2&a=1",
      "To=15550199&CallUUID=c1",
      "Lep05EPQFrqSqzE1SouBktGNtMo2U1ZEzlah5CBpkso=",
    ],
    ["POST", "https://bots.example.com/plivo?a=1", "", "mHQS686Jsp7E3AZe1HXMJ2U8qlid8phwjQmSUPefWlY="],
    ["POST", "https://bots.example.com/plivo", "a=y&a=x&A=%2B1", "tc7ho7ZNEPld0SLE6FtYOECcq40GeAeaUmuvHq2eyYk="],
  ])("%s %s with %j", (method, url, body, signature) => {
    const verify = (headers: Readonly<Record<string, string>>, at = url, secret = token) =>
      signatures.verifyWebhook?.(request(method, at, body, headers), secret);
    expect(verify({ "x-plivo-signature-v3": signature })).toBe(true);
    expect(verify({ "x-plivo-signature-v3": `bm9uZQ==, ${signature}` })).toBe(true);
    expect(verify({ "x-plivo-signature-ma-v3": signature })).toBe(true);
    expect(verify({ "x-plivo-signature-v3": signature }, `${url}/`)).toBe(false);
    expect(verify({ "x-plivo-signature-v3": signature }, url.replace("https", "http"))).toBe(false);
    expect(verify({ "x-plivo-signature-v3": signature }, url, "another")).toBe(false);
    expect(verify({ "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": "1" })).toBe(false);
    expect(verify({ "x-plivo-signature-v3": "" })).toBe(false);
    expect(verify({})).toBe(false);
  });

  test("requires the nonce", () => {
    const bare = {
      ...request("GET", "https://bots.example.com/plivo", "", {}),
      headers: { "x-plivo-signature-v3": "x" },
    };
    expect(signatures.verifyWebhook?.(bare, token)).toBe(false);
  });
});

describe("a socket signature", () => {
  test.each([
    ["https", "l+e1B/M3qm6uJdlE9+U0EFLBLk9XT/2cdUQq7Guxrks="],
    ["http", "clHrHowzYcDf1EBK+fvfY43YOX54dAuo04Zr1K8xe+4="],
    ["wss", "/Y4u5WmF/As3p2HtsMJjagRZmy6dVIyql4kzxFiA0c0="],
    ["ws", "l5jDK30q1SkflJ16pL0GX6ZA5XNaZads+S1BGVSWgBs="],
  ])("may cover the %s URL", (_, signature) => {
    const at = (url: string, headers = {}) =>
      signatures.verifyUpgrade?.(
        request("GET", url, "", { "x-plivo-signature-v3": signature, ...headers }),
        token,
        chosen(true),
      );
    expect(at("https://bots.example.com/ws/3f")).toBe("valid");
    expect(at("https://bots.example.com/ws/4f")).toBe("invalid");
    expect(at("https://bots.example.com/ws/3f", { "x-plivo-signature-v3-nonce": undefined })).toBe("invalid");
  });

  test("that matches no scheme counts as missing unless sockets must be verified", () => {
    const check = (headers: Readonly<Record<string, string>>) =>
      signatures.verifyUpgrade?.(request("GET", "https://bots.example.com/ws", "", headers), token, chosen(false));
    expect(check({ "x-plivo-signature-v3": "bm9uZQ==" })).toBe("missing");
    expect(check({ "x-plivo-signature-v3": "bm9uZQ==", "x-plivo-signature-v3-nonce": "" })).toBe("missing");
  });

  test("is required only with verifySockets", () => {
    const bare = request("GET", "https://bots.example.com/ws", "", {});
    expect(signatures.verifyUpgrade?.(bare, token, chosen(true))).toBe("missing");
    expect(signatures.requireUpgrade?.(resolveOptions(options, { env: {} }), true)).toBe(false);
    expect(signatures.requireUpgrade?.(chosen(true), true)).toBe(true);
  });
});

test("a request that doctor signs is valid", () => {
  const [url, form] = ["https://bots.example.com/plivo?doctor=1", new URLSearchParams({ a: "1" })];
  const headers = signatures.sign?.({ method: "POST", url, form }, token) ?? {};
  expect(signatures.verifyWebhook?.(request("POST", url, "a=1", headers), token)).toBe(true);
});
