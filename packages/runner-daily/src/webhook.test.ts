import { createHmac } from "node:crypto";
import { until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { apiKey, readToken, refusal } from "./test/daily-api.ts";
import { type DailyRunner, useDailyFixture } from "./test/daily-runner.ts";
import { phoneCallIn } from "./webhook.ts";

const daily = useDailyFixture();
const { open } = daily;

const path = "/daily-dialin-webhook";
const call = { From: "+15551234567", To: "+15559876543", callId: "call-1", callDomain: "domain-1" };
const secret = Buffer.from("a shared secret").toString("base64");
function signed(body: string, timestamp = String(Math.floor(Date.now() / 1000))): Record<string, string> {
  const hmac = createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.${body}`);
  return { "x-pinless-timestamp": timestamp, "x-pinless-signature": hmac.digest("base64") };
}

describe("a phone call", () => {
  test("creates a room with a SIP address and starts a bot with the call in its body", async () => {
    const opened = await open();
    const sipHeaders = { "X-Campaign": "tea" };
    const { status, body } = await opened.post(path, { ...call, sipHeaders });
    const [room] = [...daily.api.rooms.values()];
    expect(status).toBe(200);
    expect(body).toEqual({ dailyRoom: room?.url, dailyToken: expect.any(String), sessionId: expect.any(String) });
    expect(readToken(String(body.dailyToken))).toMatchObject({ is_owner: false });
    expect(room?.name).toMatch(/^pipecat-telephony-[0-9a-f]{8}$/);
    expect(room?.config).toMatchObject({
      start_video_off: true,
      eject_at_room_exp: true,
      sip: { display_name: "+15551234567", video: false, sip_mode: "dial-in", num_endpoints: 1 },
    });
    const [args] = opened.calls;
    expect(args).toMatchObject({ sessionId: body.sessionId, roomUrl: room?.url });
    expect(args?.body).toEqual({
      dialin_settings: {
        call_id: "call-1",
        call_domain: "domain-1",
        To: "+15559876543",
        From: "+15551234567",
        sip_headers: sipHeaders,
      },
      daily_api_key: apiKey,
      daily_api_url: daily.api.url,
    });
    expect(args?.callData).toEqual({ callId: "call-1", streamId: "call-1", from: "+15551234567", to: "+15559876543" });
  });

  test("may have lower-case field names, and never uses the configured room", async () => {
    const opened = await open({ daily: { roomUrl: "https://test.daily.co/ours" } });
    const { body } = await opened.post(path, { from: "+1", to: "+2", callId: "c", callDomain: "d" });
    expect(body.dailyRoom).toMatch(/pipecat-telephony-/);
    expect(opened.calls[0]?.body).toMatchObject({ dialin_settings: { From: "+1", To: "+2" } });
  });

  test("starts one bot when the webhook is repeated", async () => {
    const opened = await open();
    const answers = [await opened.post(path, call), await opened.post(path, call)];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [200, undefined],
      [409, "SESSION_ALIAS_TAKEN"],
    ]);
    expect(daily.api.rooms.size).toBe(1);
    opened.finish();
    await until("the session has ended", () => [...opened.runner.sessions].length === 0, 2_000);
    expect((await opened.post(path, call)).status).toBe(200);
  });

  test("returns Daily's error when the room cannot be created, without numbers in reply and log", async () => {
    const opened = await open();
    daily.api.failNext(
      "POST /rooms",
      refusal(400, "invalid-request-error", `display_name ${call.From} is not allowed`),
    );
    const { status, body } = await opened.post(path, call);
    expect({ status, code: body.code }).toEqual({ status: 502, code: "DAILY_REFUSED" });
    await opened.post(path, call);
    const output = JSON.stringify([body, opened.logger.lines]);
    for (const secretText of [call.From.slice(1), call.To.slice(1), apiKey]) expect(output).not.toContain(secretText);
  });

  test("is rejected with --no-dialin and without an API key of Daily", async () => {
    expect((await (await open({ daily: { dialin: false } })).post(path, call)).status).toBe(404);
    const keyless = await (await open({ daily: { apiKey: undefined } })).post(path, call);
    expect([keyless.status, keyless.body.code]).toEqual([400, "DAILY_API_KEY_MISSING"]);
  });
});

describe("other requests", () => {
  test("with more than 64 KiB get 413, and start nothing", async () => {
    const opened = await open();
    const { status, body } = await opened.post(path, { ...call, sipHeaders: { "X-Long": "x".repeat(65_536) } });
    expect([status, body.code]).toEqual([413, "BODY_TOO_LARGE"]);
    expect(opened.calls).toEqual([]);
  });

  test.each([{ test: true }, { Test: "test" }])(
    "%j, the test during setup, is answered and starts nothing",
    async (ping) => {
      const opened = await open({ daily: { pinlessHmacSecret: secret } });
      expect(await opened.post(path, ping)).toMatchObject({ status: 200, body: { status: "OK" } });
      expect(daily.api.requests).toEqual([]);
    },
  );

  test.each([
    ["no From", { ...call, From: undefined }, "From"],
    ["an empty To", { ...call, To: "" }, "To"],
    ["a callId of another type", { ...call, callId: 7 }, "callId"],
    ["no callDomain", { ...call, callDomain: null }, "callDomain"],
    ["SIP headers of another type", { ...call, sipHeaders: "x" }, "sipHeaders"],
    ["a very long From", { ...call, From: "5551234567".repeat(52) }, "From"],
    ["a very long callId", { ...call, callId: "x".repeat(513) }, "callId"],
    ["many SIP headers", { ...call, sipHeaders: Object.fromEntries(Array(129).fill("x").entries()) }, "sipHeaders"],
    ["an array", [], "JSON object"],
    ["invalid JSON", "{From:", "JSON"],
    ["an empty body", "", "JSON"],
  ])("%s is a 400 that names the fault and contains no number", async (_, request, fault) => {
    const opened = await open();
    const { status, body } = await opened.post(path, request);
    expect({ status, code: body.code }).toEqual({ status: 400, code: "BODY_INVALID" });
    expect(body.detail).toContain(fault);
    expect(JSON.stringify([body, opened.logger.lines])).not.toMatch(/5551234567|5559876543/);
    expect(daily.api.requests).toEqual([]);
  });

  test("2 MB are rejected, and the next call is accepted", async () => {
    const opened = await open();
    const { status } = await opened.post(path, { ...call, sipHeaders: { x: "x".repeat(2 * 1024 * 1024) } });
    expect(status).toBe(413);
    expect((await opened.post(path, call)).status).toBe(200);
  });
});

describe("with a secret", () => {
  test("accepts a signed call with any content type", async () => {
    const opened = await open({ daily: { pinlessHmacSecret: secret } });
    const body = JSON.stringify(call);
    expect((await opened.post(path, body, { ...signed(body), "content-type": "text/plain" })).status).toBe(200);
  });

  test("accepts an unsigned call with --no-verify-signatures", async () => {
    const opened = await open({ daily: { pinlessHmacSecret: secret, verifySignatures: false } });
    expect((await opened.post(path, call)).status).toBe(200);
  });

  test.each([
    ["unsigned", () => ({})],
    ["signed for another body", () => signed("{}")],
    ["signed ten minutes ago", (body: string) => signed(body, String(Math.floor(Date.now() / 1000) - 600))],
  ])("rejects a call that is %s with 401 and starts nothing", async (_, headers) => {
    const opened = await open({ daily: { pinlessHmacSecret: secret } });
    const body = JSON.stringify(call);
    const answer = await opened.post(path, body, headers(body));
    expect([answer.status, answer.body.code]).toEqual([401, "DAILY_SIGNATURE_INVALID"]);
    expect(JSON.stringify([answer.body, opened.logger.lines])).not.toContain(secret);
    expect(daily.api.requests).toEqual([]);
  });
});

describe("without a secret", () => {
  const key = { apiKey: "a-key-of-16-chars" };

  test.each([
    ["an API key", key],
    ["tokens for sockets", { webSocketAuth: "token" } as const],
  ])("a server with %s rejects calls, says what to set, and starts nothing", async (_, access) => {
    const opened = await open(access);
    const { status, body } = await opened.post(path, call);
    expect([status, body.code]).toEqual([401, "DAILY_SIGNATURE_INVALID"]);
    expect(body.detail).toMatch(/DAILY_PINLESS_HMAC_SECRET.*--no-verify-signatures/);
    expect([daily.api.requests, opened.calls]).toEqual([[], []]);
    expect(await opened.post(path, { test: true })).toMatchObject({ status: 200 });
    expect(opened.runner.transports[0]?.banner[1]).toContain("once DAILY_PINLESS_HMAC_SECRET is set");
  });

  test("accepts calls with --no-verify-signatures, or with the secret", async () => {
    const unverified = await open({ ...key, daily: { verifySignatures: false } });
    expect((await unverified.post(path, call)).status).toBe(200);
    const signedOnly = await open({ ...key, daily: { pinlessHmacSecret: secret } });
    const body = JSON.stringify({ ...call, callId: "call-2" });
    expect((await signedOnly.post(path, body, signed(body))).status).toBe(200);
  });
});

test("a public server without a secret warns once that calls are not verified; a local server does not", async () => {
  const warnings = ({ logger }: DailyRunner) => logger.lines.filter(({ message }) => /not verified/.test(message));
  const publicServer = await open({ publicUrl: "https://bots.example.com" });
  for (const callId of ["a", "b"]) await publicServer.post(path, { ...call, callId });
  expect(warnings(publicServer)).toHaveLength(1);
  const behindProxy = await open({ trustProxy: true });
  await behindProxy.post(path, call);
  expect(warnings(behindProxy)).toHaveLength(1);
  const local = await open();
  await local.post(path, call);
  expect(warnings(local)).toEqual([]);
});

test.each([undefined, {}, { dialin_settings: "x" }, { dialin_settings: { call_id: 7 } }, "text"])(
  "%j contains no phone call",
  (body) => {
    expect(phoneCallIn(body)).toBeUndefined();
  },
);
