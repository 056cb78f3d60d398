import { createHash, createHmac } from "node:crypto";
import type { SignedRequest } from "@pipecat-ts/runner-telephony";
import { verifySignature } from "@vonage/jwt";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sign, signatures } from "./signature.ts";

afterEach(() => void vi.useRealTimers());

function request(rawBody: string, authorization?: string): SignedRequest {
  const headers = authorization === undefined ? {} : { authorization };
  return { method: "POST", url: "", headers, rawBody, form: new URLSearchParams(), request: undefined as never };
}

function verify(body: string, authorization?: string): boolean | undefined {
  return signatures.verifyWebhook?.(request(body, authorization), "a secret");
}

/** A token that is made without the code under test. */
function token(claims: object, { alg = "HS256", secret = "a secret" } = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg, typ: "JWT" })}.${encode(claims)}`;
  return `Bearer ${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

const body = '{"from":"15550100","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab"}';
const payload_hash = createHash("sha256").update(body).digest("hex");
const nowS = () => Math.floor(Date.now() / 1000);

describe("a webhook signature", () => {
  test("is verified as by Vonage's library, and also covers the body", () => {
    const official = (authorization: string) => verifySignature(authorization.replace("Bearer ", ""), "a secret");
    for (const authorization of [sign(body, "a secret").authorization, token({ iat: nowS(), payload_hash })]) {
      expect([verify(body, authorization), official(authorization)]).toEqual([true, true]);
      expect(verify(body.replace("5550100", "5550101"), authorization)).toBe(false);
    }
    const foreign = sign(body, "another secret").authorization;
    expect([verify(body, foreign), official(foreign)]).toEqual([false, false]);
  });

  test("can be made by doctor, which has the secret", () => {
    const form = new URLSearchParams({ doctor: "pipecat-runner" });
    const signed = signatures.sign?.({ method: "POST", url: "https://voice.example.com/vonage", form }, "a secret");
    expect(verify(form.toString(), signed?.authorization)).toBe(true);
  });

  test("is valid for 300 s, before and after", () => {
    vi.useFakeTimers({ now: 1_760_000_000_000, toFake: ["Date"] });
    const ages = [-301, -300, 0, 300, 301];
    expect(ages.map((age) => verify(body, token({ iat: 1_760_000_000 - age, payload_hash })))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  test("that is malformed, unsigned or without a hash is invalid", () => {
    const authorizations = [
      undefined,
      "",
      "Bearer",
      "Bearer a.b",
      "Bearer a.b.c",
      "Bearer ..",
      "Basic YTpi",
      token({ payload_hash }),
      token({ iat: "soon", payload_hash }),
      token({ iat: Number.MAX_SAFE_INTEGER, payload_hash }),
      token({ iat: nowS() }),
      token({ iat: nowS(), payload_hash: null }),
      token({ iat: nowS(), payload_hash }, { alg: "none" }),
      token({ iat: nowS(), payload_hash }, { alg: "RS256" }),
      token([]),
      `${token({ iat: nowS(), payload_hash })}.more`,
    ];
    for (const authorization of authorizations) expect(verify(body, authorization), authorization).toBe(false);
  });
});

test("an upgrade request is signed with a token; other credentials are not Vonage's", () => {
  const check = (authorization?: string) =>
    signatures.verifyUpgrade?.(request("", authorization), "a secret", {} as never);
  expect(check(token({ iat: nowS() }))).toBe("valid");
  expect(check(token({ iat: nowS() - 400 }))).toBe("invalid");
  expect(check(token({ iat: nowS() }, { secret: "another secret" }))).toBe("invalid");
  const runnerToken = `Bearer 01234567-89ab-4cde-8f01-23456789abcd.1760000000.${"x".repeat(43)}`;
  for (const other of [undefined, "Bearer a-key-of-the-runner", runnerToken, "Basic YTpi"])
    expect(check(other), other).toBe("missing");
});
