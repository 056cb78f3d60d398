import { sign } from "node:crypto";
import type { SignedRequest } from "@pipecat-ts/runner-telephony";
import Telnyx from "telnyx";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createTelnyxAccount } from "./caller.ts";
import { signatures } from "./signature.ts";

const account = createTelnyxAccount("a key");
const other = createTelnyxAccount("another key");
const sdk = new Telnyx({ apiKey: "a key" });
afterEach(() => void vi.useRealTimers());

function request(rawBody: string, headers: Readonly<Record<string, string>>): SignedRequest {
  return { method: "POST", url: "", headers, rawBody, form: new URLSearchParams(), request: undefined as never };
}

function signed(body: string, seconds = Math.floor(Date.now() / 1000), keys = account) {
  const bytes = Buffer.from(`${seconds}|${body}`);
  return {
    "telnyx-timestamp": String(seconds),
    "telnyx-signature-ed25519": sign(null, bytes, keys.privateKey).toString("base64"),
  };
}

function verify(body: string, headers: Readonly<Record<string, string>>): boolean | undefined {
  return signatures.verifyWebhook?.(request(body, headers), account.publicKey);
}

/** The result of Telnyx's SDK, which accepts JSON only. */
async function official(body: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  return await sdk.webhooks.unwrap(body, { headers, key: account.publicKey }).then(
    () => true,
    () => false,
  );
}

describe("a webhook signature", () => {
  const event = '{"data":{"event_type":"call.initiated","payload":{"from":"+15550100"}}}';

  test("is verified as by Telnyx's SDK", async () => {
    const headers = signed(event);
    expect([verify(event, headers), await official(event, headers)]).toEqual([true, true]);
    const changed = event.replace("5550100", "5550101");
    expect([verify(changed, headers), await official(changed, headers)]).toEqual([false, false]);
    const foreign = signed(event, undefined, other);
    expect([verify(event, foreign), await official(event, foreign)]).toEqual([false, false]);
    const old = signed(event, Math.floor(Date.now() / 1000) - 301);
    expect([verify(event, old), await official(event, old)]).toEqual([false, false]);
    expect([verify(event, {}), await official(event, {})]).toEqual([false, false]);
  });

  test("covers the body as received, also of forms", () => {
    for (const body of ["CallSid=v3%3Aa&From=%2B15550100", "", "Grüße"]) {
      expect(verify(body, signed(body))).toBe(true);
    }
    expect(verify("CallSid=v3:a", signed("CallSid=v3%3Aa"))).toBe(false);
  });

  test("is valid for 300 s, before and after", () => {
    vi.useFakeTimers({ now: 1_760_000_000_000, toFake: ["Date"] });
    const ages = [-301, -300, 0, 300, 301];
    expect(ages.map((age) => verify("a=1", signed("a=1", 1_760_000_000 - age)))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  test("that is malformed is invalid", () => {
    const good = signed("a=1");
    for (const timestamp of ["", "NaN", "soon", "Infinity"])
      expect(verify("a=1", { ...good, "telnyx-timestamp": timestamp })).toBe(false);
    for (const signature of ["", "=", "AAAA", "A".repeat(88)]) {
      expect(verify("a=1", { ...good, "telnyx-signature-ed25519": signature })).toBe(false);
    }
  });
});
