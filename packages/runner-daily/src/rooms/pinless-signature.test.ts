import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { pinlessSignatureFault } from "./pinless-signature.ts";

const secret = Buffer.from("a secret of Daily's").toString("base64");
const nowMs = 1_790_000_000_000;
const rawBody = Buffer.from('{"From": "+15551234567", "To":"+15559876543"}');
const sign = (timestamp: string, body: Uint8Array = rawBody) =>
  createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.`).update(body).digest("base64");
const fault = (timestamp: string | undefined, signature: string | undefined, body: Uint8Array = rawBody) =>
  pinlessSignatureFault({ signature, timestamp, rawBody: body }, secret, nowMs);

describe("a webhook", () => {
  test("signed by another program is Daily's", () => {
    // printf '%s' '1790000000.{}' | openssl dgst -sha256 -hmac "a secret of Daily's" -binary | base64
    expect(fault("1790000000", "bODG5oOsf0wQdnfqWZo9ZA63ilDiNvWSfj0L3s5uzKk=", Buffer.from("{}"))).toBeUndefined();
  });

  test.each([0, 299_000, -299_000])("signed %i ms ago is Daily's, in seconds and in milliseconds", (agoMs) => {
    for (const timestamp of [String((nowMs - agoMs) / 1000), String(nowMs - agoMs)]) {
      expect(fault(timestamp, sign(timestamp))).toBeUndefined();
    }
  });

  test.each([301_000, -301_000, 86_400_000])("signed %i ms ago is a recording", (agoMs) => {
    for (const timestamp of [String((nowMs - agoMs) / 1000), String(nowMs - agoMs)]) {
      expect(fault(timestamp, sign(timestamp))).toMatch(/five minutes/);
    }
  });

  test("signed over other bytes, at another time, or not in base64 is refused", () => {
    const timestamp = String(nowMs);
    expect(fault(timestamp, sign(timestamp), Buffer.from(`${rawBody} `))).toMatch(/not of this secret/);
    expect(fault(String(nowMs + 1), sign(timestamp))).toMatch(/not of this secret/);
    expect(fault(timestamp, Buffer.from(sign(timestamp), "base64").toString("hex"))).toMatch(/not of this secret/);
    expect(fault(timestamp, "")).toMatch(/not of this secret/);
    expect(fault("soon", sign("soon"))).toMatch(/five minutes/);
  });

  test("not signed at all is refused", () => {
    expect(fault(undefined, sign("1"))).toBe("it is not signed");
    expect(fault(String(nowMs), undefined)).toBe("it is not signed");
  });
});
