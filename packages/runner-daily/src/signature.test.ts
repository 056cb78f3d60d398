import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { pinlessSignatureFault } from "./signature.ts";

const secret = Buffer.from("a secret of Daily's").toString("base64");
const nowMs = 1_790_000_000_000;
const rawBody = '{"From": "+15551234567", "To":"+15559876543"}';
const sign = (timestamp: string, body = rawBody) =>
  createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.${body}`).digest("base64");
const fault = (timestamp: string | undefined, signature: string | undefined, body = rawBody) =>
  pinlessSignatureFault({ signature, timestamp, rawBody: body }, secret, nowMs);

describe("pinlessSignatureFault", () => {
  test("accepts a signature that openssl computed", () => {
    // printf '%s' '1790000000.{}' | openssl dgst -sha256 -hmac "a secret of Daily's" -binary | base64
    expect(fault("1790000000", "bODG5oOsf0wQdnfqWZo9ZA63ilDiNvWSfj0L3s5uzKk=", "{}")).toBeUndefined();
  });

  test.each([0, 299_000, -299_000])(
    "accepts a signature that is %i ms old, in seconds and in milliseconds",
    (agoMs) => {
      for (const timestamp of [String((nowMs - agoMs) / 1000), String(nowMs - agoMs)]) {
        expect(fault(timestamp, sign(timestamp))).toBeUndefined();
      }
    },
  );

  test.each([301_000, -301_000, 86_400_000])("rejects a signature that is %i ms old", (agoMs) => {
    for (const timestamp of [String((nowMs - agoMs) / 1000), String(nowMs - agoMs)]) {
      expect(fault(timestamp, sign(timestamp))).toMatch(/five minutes/);
    }
  });

  test("rejects a signature of another body, of another time, and in another encoding", () => {
    const timestamp = String(nowMs);
    expect(fault(timestamp, sign(timestamp), `${rawBody} `)).toMatch(/does not match the secret/);
    expect(fault(String(nowMs + 1), sign(timestamp))).toMatch(/does not match the secret/);
    expect(fault(timestamp, Buffer.from(sign(timestamp), "base64").toString("hex"))).toMatch(
      /does not match the secret/,
    );
    expect(fault(timestamp, "")).toMatch(/does not match the secret/);
    expect(fault("soon", sign("soon"))).toMatch(/five minutes/);
  });

  test("rejects a missing signature", () => {
    expect(fault(undefined, sign("1"))).toBe("it is not signed");
    expect(fault(String(nowMs), undefined)).toBe("it is not signed");
  });
});
