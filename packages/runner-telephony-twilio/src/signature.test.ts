import { createRequire } from "node:module";
import { resolveOptions } from "@pipecat-ts/runner-core";
import type { SignedRequest } from "@pipecat-ts/runner-telephony";
import type twilio from "twilio";
import { describe, expect, test } from "vitest";
import { options } from "./options.ts";
import { signatures } from "./signature.ts";

const sdk = createRequire(import.meta.url)("twilio") as typeof twilio & {
  getExpectedTwilioSignature(token: string, url: string, params: object): string;
};
const { getExpectedTwilioSignature, getExpectedBodyHash } = createRequire(import.meta.url)(
  "twilio/lib/webhooks/webhooks",
) as {
  getExpectedTwilioSignature(token: string, url: string, params: object): string;
  getExpectedBodyHash(body: string): string;
};
const token = "12345";
const settings = resolveOptions(options, { env: {} });

function request(
  fields: Partial<SignedRequest> & { readonly signature?: string | undefined; readonly body?: string },
): SignedRequest {
  const { signature, body = "", ...rest } = fields;
  return {
    method: "POST",
    url: "https://bots.example.com/twilio",
    headers: signature === undefined ? {} : { "x-twilio-signature": signature },
    rawBody: body,
    form: new URLSearchParams(body),
    request: undefined as never,
    ...rest,
  };
}

describe("a webhook signature made by Twilio's SDK is valid", () => {
  const forms: readonly (readonly [string, Readonly<Record<string, string | string[]>>])[] = [
    ["of a form", { CallSid: "CA1", From: "+15550100", To: "+15550199" }],
    ["of unsorted, empty and non-ASCII fields", { b: "2", a: "", Ä: "ü", Z: "1", a1: " x " }],
    ["of repeated fields", { Media: ["b", "a", "b"], CallSid: "CA1" }],
    ["of an empty form", {}],
  ];
  for (const [what, params] of forms)
    for (const url of ["https://bots.example.com/twilio", "https://bots.example.com:8443/voice/?a=1&b=%20c"]) {
      test(`${what}, at ${url}`, () => {
        const signature = getExpectedTwilioSignature(token, url, params);
        expect(sdk.validateRequest(token, signature, url, params)).toBe(true);
        const body = Object.entries(params)
          .flatMap(([name, values]) =>
            [values].flat().map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
          )
          .join("&");
        expect(signatures.verifyWebhook?.(request({ url, signature, body }), token)).toBe(true);
        expect(signatures.verifyWebhook?.(request({ url, signature, body }), "other")).toBe(false);
        expect(signatures.verifyWebhook?.(request({ url: `${url}x`, signature, body }), token)).toBe(false);
        expect(signatures.verifyWebhook?.(request({ url, signature, body: `${body}&x=1` }), token)).toBe(false);
      });
    }

  test("of a GET with parameters in the URL", () => {
    const url = "https://bots.example.com/twilio?CallSid=CA1&From=%2B15550100";
    const signature = getExpectedTwilioSignature(token, url, {});
    expect(signatures.verifyWebhook?.(request({ method: "GET", url, signature }), token)).toBe(true);
    expect(
      signatures.verifyWebhook?.(request({ method: "GET", url: url.replace("CA1", "CA2"), signature }), token),
    ).toBe(false);
  });

  test("of JSON with its hash in the URL", () => {
    const body = '{"CallSid":"CA1"}';
    const url = `https://bots.example.com/twilio?bodySHA256=${getExpectedBodyHash(body)}`;
    const signature = getExpectedTwilioSignature(token, url, {});
    expect(sdk.validateRequestWithBody(token, signature, url, body)).toBe(true);
    const json = { url, signature, rawBody: body, form: new URLSearchParams() };
    expect(signatures.verifyWebhook?.(request(json), token)).toBe(true);
    expect(signatures.verifyWebhook?.(request({ ...json, rawBody: '{"CallSid":"CA2"}' }), token)).toBe(false);
  });

  test.each([
    ["with the default port added", "https://bots.example.com/twilio", "https://bots.example.com:443/twilio"],
    ["with its port removed", "https://bots.example.com:8443/a:1?b", "https://bots.example.com/a:1?b"],
    ["with its port", "https://bots.example.com:8443/a:1?b", "https://bots.example.com:8443/a:1?b"],
  ])("of a URL %s", (_, url, signed) => {
    const signature = getExpectedTwilioSignature(token, signed, {});
    expect(sdk.validateRequest(token, signature, url, {})).toBe(true);
    expect(signatures.verifyWebhook?.(request({ url, signature }), token)).toBe(true);
  });

  test("but not of a URL with another port", () => {
    const url = "https://bots.example.com:8443/twilio";
    const signature = getExpectedTwilioSignature(token, "https://bots.example.com:443/twilio", {});
    expect(sdk.validateRequest(token, signature, url, {})).toBe(false);
    expect(signatures.verifyWebhook?.(request({ url, signature }), token)).toBe(false);
  });

  test("but not of a body that is not signed, and not when missing or malformed", () => {
    const url = "https://bots.example.com/twilio";
    const signature = getExpectedTwilioSignature(token, url, {});
    const json = { url, signature, rawBody: '{"CallSid":"CA1"}', form: new URLSearchParams() };
    expect(signatures.verifyWebhook?.(request(json), token)).toBe(false);
    for (const bad of [undefined, "", "=", signature.slice(1), `${signature}=`]) {
      expect(signatures.verifyWebhook?.(request({ url, signature: bad }), token)).toBe(false);
    }
  });
});

describe("an upgrade signature", () => {
  const url = "https://bots.example.com/ws/3f";

  test("is made of the wss URL, as in Twilio's SDK", () => {
    const signature = getExpectedTwilioSignature(token, "wss://bots.example.com/ws/3f", {});
    expect(sdk.validateRequest(token, signature, "wss://bots.example.com/ws/3f", {})).toBe(true);
    expect(signatures.verifyUpgrade?.(request({ method: "GET", url, signature }), token, settings)).toBe("valid");
    const longer = request({ method: "GET", url: `${url}/`, signature });
    expect(signatures.verifyUpgrade?.(longer, token, settings)).toBe("invalid");
    expect(signatures.verifyUpgrade?.(request({ method: "GET", url }), token, settings)).toBe("missing");
  });

  test("of the https URL is invalid", () => {
    const signature = getExpectedTwilioSignature(token, url, {});
    expect(signatures.verifyUpgrade?.(request({ method: "GET", url, signature }), token, settings)).toBe("invalid");
  });
});

test("a request that doctor signs is valid", () => {
  const [url, form] = ["https://bots.example.com/twilio?doctor=1", new URLSearchParams({ a: "1" })];
  const headers = signatures.sign?.({ method: "POST", url, form }, token) ?? {};
  expect(signatures.verifyWebhook?.({ ...request({ url, body: "a=1" }), headers }, token)).toBe(true);
});
