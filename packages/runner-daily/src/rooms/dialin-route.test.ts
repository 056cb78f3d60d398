import { createHmac } from "node:crypto";
import { until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { apiKey, readToken, refusal } from "../test/daily-api.ts";
import type { RoomsRunner } from "../test/rooms-runner.ts";
import { useDaily } from "../test/use-daily.ts";

const daily = useDaily();
const { open } = daily;

const path = "/daily-dialin-webhook";
const call = { From: "+15551234567", To: "+15559876543", callId: "call-1", callDomain: "domain-1" };
const secret = Buffer.from("a shared secret").toString("base64");
function signed(body: string, timestamp = String(Math.floor(Date.now() / 1000))): Record<string, string> {
  const hmac = createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.${body}`);
  return { "x-pinless-timestamp": timestamp, "x-pinless-signature": hmac.digest("base64") };
}

describe("a phone call", () => {
  test("gets a room with a SIP address, and a bot that knows of it", async () => {
    const rooms = await open();
    const sipHeaders = { "X-Campaign": "tea" };
    const { status, body } = await rooms.post(path, { ...call, sipHeaders });
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
    const [args] = rooms.calls;
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

  test("may name its numbers in lower case, and never meets in the room that is set up", async () => {
    const rooms = await open({ daily: { roomUrl: "https://test.daily.co/ours" } });
    const { body } = await rooms.post(path, { from: "+1", to: "+2", callId: "c", callDomain: "d" });
    expect(body.dailyRoom).toMatch(/pipecat-telephony-/);
    expect(rooms.calls[0]?.body).toMatchObject({ dialin_settings: { From: "+1", To: "+2" } });
  });

  test("that is told twice starts one bot", async () => {
    const rooms = await open();
    const answers = [await rooms.post(path, call), await rooms.post(path, call)];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [200, undefined],
      [409, "SESSION_ALIAS_TAKEN"],
    ]);
    expect(daily.api.rooms.size).toBe(1);
    rooms.finish();
    await until("the session is over", () => [...rooms.runner.sessions].length === 0, 2_000);
    expect((await rooms.post(path, call)).status).toBe(200);
  });

  test("is refused in Daily's words when there is no room, and its number is nowhere in the log", async () => {
    const rooms = await open();
    daily.api.failNext("POST /rooms", refusal(400, "invalid-request-error", `display_name ${call.From} is taken`));
    const { status, body } = await rooms.post(path, call);
    expect({ status, code: body.code }).toEqual({ status: 502, code: "DAILY_REFUSED" });
    await rooms.post(path, call);
    const shown = JSON.stringify([body, rooms.logger.lines]);
    for (const secretText of [call.From.slice(1), call.To.slice(1), apiKey]) expect(shown).not.toContain(secretText);
  });

  test("is not taken with --no-dialin, nor without a key", async () => {
    expect((await (await open({ daily: { dialin: false } })).post(path, call)).status).toBe(404);
    const keyless = await (await open({ daily: { apiKey: undefined } })).post(path, call);
    expect([keyless.status, keyless.body.code]).toEqual([400, "DAILY_API_KEY_MISSING"]);
  });
});

describe("what is no call", () => {
  test.each([{ test: true }, { Test: "test" }])(
    "%j, the ping of a new webhook, is answered and starts nothing",
    async (ping) => {
      const rooms = await open({ daily: { pinlessHmacSecret: secret } });
      expect(await rooms.post(path, ping)).toMatchObject({ status: 200, body: { status: "OK" } });
      expect(daily.api.requests).toEqual([]);
    },
  );

  test.each([
    ["no From", { ...call, From: undefined }, "From"],
    ["an empty To", { ...call, To: "" }, "To"],
    ["a callId of another type", { ...call, callId: 7 }, "callId"],
    ["no callDomain", { ...call, callDomain: null }, "callDomain"],
    ["headers of another type", { ...call, sipHeaders: "x" }, "sipHeaders"],
    ["a list", [], "JSON object"],
    ["no JSON", "{From:", "JSON"],
    ["nothing", "", "JSON"],
  ])("%s is a 400 that names it and repeats no number", async (_, sent, named) => {
    const rooms = await open();
    const { status, body } = await rooms.post(path, sent);
    expect({ status, code: body.code }).toEqual({ status: 400, code: "BODY_INVALID" });
    expect(body.detail).toContain(named);
    expect(JSON.stringify([body, rooms.logger.lines])).not.toMatch(/5551234567|5559876543/);
    expect(daily.api.requests).toEqual([]);
  });

  test("2 MB are refused, and the next call is taken", async () => {
    const rooms = await open();
    const { status } = await rooms.post(path, { ...call, sipHeaders: { x: "x".repeat(2 * 1024 * 1024) } });
    expect(status).toBe(413);
    expect((await rooms.post(path, call)).status).toBe(200);
  });
});

describe("with a secret", () => {
  test("a signed call is taken, whatever its content type", async () => {
    const rooms = await open({ daily: { pinlessHmacSecret: secret } });
    const body = JSON.stringify(call);
    expect((await rooms.post(path, body, { ...signed(body), "content-type": "text/plain" })).status).toBe(200);
  });

  test("an unsigned call is taken where the operator says that none is verified", async () => {
    const rooms = await open({ daily: { pinlessHmacSecret: secret, verifySignatures: false } });
    expect((await rooms.post(path, call)).status).toBe(200);
  });

  test.each([
    ["unsigned", () => ({})],
    ["signed for another body", () => signed("{}")],
    ["of ten minutes ago", (body: string) => signed(body, String(Math.floor(Date.now() / 1000) - 600))],
  ])("one that is %s is refused with 401 and starts nothing", async (_, headers) => {
    const rooms = await open({ daily: { pinlessHmacSecret: secret } });
    const body = JSON.stringify(call);
    const answer = await rooms.post(path, body, headers(body));
    expect([answer.status, answer.body.code]).toEqual([401, "DAILY_SIGNATURE_INVALID"]);
    expect(JSON.stringify([answer.body, rooms.logger.lines])).not.toContain(secret);
    expect(daily.api.requests).toEqual([]);
  });
});

describe("without a secret", () => {
  const key = { apiKey: "a-key-of-16-chars" };

  test.each([
    ["an API key", key],
    ["tokens for sockets", { webSocketAuth: "token" } as const],
  ])("a server with %s takes no calls, says what to set, and starts nothing", async (_, access) => {
    const rooms = await open(access);
    const { status, body } = await rooms.post(path, call);
    expect([status, body.code]).toEqual([401, "DAILY_SIGNATURE_INVALID"]);
    expect(body.detail).toMatch(/DAILY_PINLESS_HMAC_SECRET.*--no-verify-signatures/);
    expect([daily.api.requests, rooms.calls]).toEqual([[], []]);
    expect(await rooms.post(path, { test: true })).toMatchObject({ status: 200 });
    expect(rooms.runner.transports[0]?.banner[1]).toContain("once DAILY_PINLESS_HMAC_SECRET is set");
  });

  test("it takes them where the operator says that none is verified, or has the secret", async () => {
    const unverified = await open({ ...key, daily: { verifySignatures: false } });
    expect((await unverified.post(path, call)).status).toBe(200);
    const signedOnly = await open({ ...key, daily: { pinlessHmacSecret: secret } });
    const body = JSON.stringify({ ...call, callId: "call-2" });
    expect((await signedOnly.post(path, body, signed(body))).status).toBe(200);
  });
});

test("without a secret a public server says once that nothing is checked, and a local one does not", async () => {
  const warnings = ({ logger }: RoomsRunner) => logger.lines.filter(({ message }) => /not checked/.test(message));
  const tunnelled = await open({ publicUrl: "https://bots.example.com" });
  for (const callId of ["a", "b"]) await tunnelled.post(path, { ...call, callId });
  expect(warnings(tunnelled)).toHaveLength(1);
  const behindProxy = await open({ trustProxy: true });
  await behindProxy.post(path, call);
  expect(warnings(behindProxy)).toHaveLength(1);
  const local = await open();
  await local.post(path, call);
  expect(warnings(local)).toEqual([]);
});
