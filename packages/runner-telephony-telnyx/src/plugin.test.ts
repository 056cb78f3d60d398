import { sign } from "node:crypto";
import { createTransport, resolveOptions, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { PhoneTransport } from "@pipecat-ts/runner-telephony";
import type { CallOptions, FakeApi } from "@pipecat-ts/runner-telephony/caller";
import { createRecordingLogger, findGaps, join, tone } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { api as telnyxApi } from "./api.ts";
import { createFakeTelnyx, createTelnyxAccount } from "./caller.ts";
import { options } from "./options.ts";
import plugin from "./plugin.ts";

const account = createTelnyxAccount("a key");
const telnyx = createFakeTelnyx(account);
const logger = createRecordingLogger();
let api: FakeApi;
let runner: Runner;
let bots: PhoneTransport[];
let received: SessionArguments[];

beforeEach(async () => {
  bots = [];
  received = [];
  api = await telnyx.openApi();
  runner = createRunner(setUp());
  await runner.listen();
});
afterEach(async () => {
  await runner.close();
  await api.close();
});

function setUp(): RunnerOptions {
  return {
    async bot(args) {
      received.push(args);
      const transport = (await createTransport(args, { telnyx: () => ({}) })) as PhoneTransport;
      bots.push(transport);
      await transport.closed;
    },
    plugins: [plugin],
    pluginOptions: { telnyx: { apiKey: account.apiKey, publicKey: account.publicKey, apiUrl: api.url } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  };
}

async function call(options: Partial<CallOptions> = {}) {
  const phone = await telnyx.call({ at: runner.url, ...options });
  await expect.poll(() => bots.length).toBe(1);
  return { phone, transport: bots[0] as PhoneTransport };
}

describe("the API", () => {
  test("accepts an ended call as hung up", () => {
    const settings = resolveOptions(options, { given: { apiKey: "a key" }, env: {} });
    const { isDone } = telnyxApi.hangUp({ streamId: "S1", callId: "C1" }, settings);
    const isDoneWith = (status: number, body: string) => isDone?.({ status, headers: {}, body });
    expect(isDoneWith(422, '{"errors":[{"code":"90018","title":"Call has already ended"}]}')).toBe(true);
    expect(isDoneWith(422, '{"errors":[{"code":90018}]}')).toBe(true);
    expect(isDoneWith(404, "{}")).toBe(true);
    expect(isDoneWith(422, '{"errors":[{"code":"10015"}]}')).toBe(false);
    expect(isDoneWith(401, "{}")).toBe(false);
  });

  test("sends DTMF and transfers calls", async () => {
    const { phone, transport } = await call();
    await transport.sendDtmf("12w#");
    await transport.transferTo("+15550123");
    await phone.closed;
    const path = `/v2/calls/${encodeURIComponent(phone.callId)}/actions`;
    expect(api.requests).toMatchObject([
      { path: `${path}/send_dtmf`, body: '{"digits":"12w#"}' },
      { path: `${path}/transfer`, body: '{"to":"+15550123"}' },
    ]);
  });
});

test("a whisper plays a file to the callee; Telnyx cannot say a text", async () => {
  const { phone, transport } = await call();
  await expect(transport.transferTo("+15550123", { whisper: { say: "Hello" } })).rejects.toMatchObject({
    code: "TRANSFER_UNSUPPORTED",
  });
  await transport.transferTo("+15550123", { whisper: { play: "https://example.com/notice.mp3" } });
  await phone.closed;
  const bodies = api.requests.map(({ body }) => JSON.parse(body));
  expect(bodies).toEqual([{ to: "+15550123", audio_url: "https://example.com/notice.mp3" }]);
});

test("callers above the capacity get the busy tone", async () => {
  const full = createRunner({ ...setUp(), maxSessions: 1 });
  await full.listen();
  const phone = await telnyx.call({ at: full.url });
  await expect.poll(() => bots.length).toBe(1);
  await expect(telnyx.call({ at: full.url })).rejects.toThrow('<Reject reason="busy"/>');
  await phone.hangUp();
  await full.close();
});

test("without an API key, the availability says that calls cannot be hung up", async () => {
  expect(runner.transports[0]?.availability).toMatchObject({ reason: "Telnyx cannot reach this server." });
  const { publicKey } = account;
  const without = createRunner({
    ...setUp(),
    publicUrl: "https://x.example",
    pluginOptions: { telnyx: { publicKey } },
  });
  await without.listen();
  expect(without.transports[0]?.availability).toEqual({
    state: "limited",
    reason: "Calls end only when their socket closes: the runner cannot hang up or transfer them.",
    fix: "Set TELNYX_API_KEY.",
  });
  await without.close();
});

test("rejects a webhook that Telnyx did not sign, also without a public URL", async () => {
  const forger = createFakeTelnyx(createTelnyxAccount("a key"));
  await expect(forger.call({ at: runner.url })).rejects.toThrow("403");
  expect(runner.sessions.counts.pending).toBe(0);
});

test("rejects a malformed public key", () => {
  const wrong = { env: { TELNYX_PUBLIC_KEY: "c2hvcnQ=" } };
  expect(() => resolveOptions(options, wrong)).toThrow("TELNYX_PUBLIC_KEY");
});

test("reorders frames", async () => {
  const { phone, transport } = await call({ network: { swapEvery: 3, delayMs: 10 } });
  const frames: Parameters<typeof join>[0][number][] = [];
  const reading = (async () => {
    for await (const frame of transport.listen()) frames.push(frame);
  })();
  await phone.speak(tone(400, { durationMs: 800, sampleRate: 8_000 }));
  await expect.poll(() => frames.length).toBeGreaterThanOrEqual(38);
  await phone.hangUp();
  await reading;
  expect(findGaps(join(frames))).toEqual([]);
});

describe("a replayed webhook", () => {
  const callId = `v3:${"A".repeat(54)}`;
  const form = new URLSearchParams({ CallSid: callId, From: "+15550100", To: "+15550199" }).toString();

  /** The headers of a request that Telnyx signed: of its body only. */
  function signed(body: string) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = sign(null, Buffer.from(`${timestamp}|${body}`), account.privateKey).toString("base64");
    return { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature, connection: "close" };
  }

  function replay(query: string, body: string | undefined, headers: Record<string, string> = signed(body ?? "")) {
    return fetch(new URL(`/telnyx${query}`, runner.url), {
      method: body === undefined ? "GET" : "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }

  test("does not change the body of the bot, the call or the numbers with a query, and a log line says so", async () => {
    const headers = signed(form);
    const query = `?body=${Buffer.from('{"admin":true}').toString("base64url")}&ConnectionId=7&CallSid=other&From=%2B1`;
    const reply = await (await replay(query, form, headers)).text();
    // Telnyx does not sign the socket either.
    const socket = new WebSocket(`${/wss?:\/\/[^"]+/.exec(reply)?.[0]}${query}`);
    socket.onopen = () => {
      const start = { call_control_id: callId, from: "+15550111" };
      socket.send(JSON.stringify({ event: "start", stream_id: "32DE0DEA-53CB-4B21-89A4-9E1819C043BC", start }));
    };
    await expect.poll(() => received.length).toBe(1);
    expect(received[0]?.body).toBe(undefined);
    expect(received[0]?.callData).toMatchObject({ callId, from: "+15550100", to: "+15550199" });
    expect(received[0]?.callData).not.toHaveProperty("connectionId");
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: "warn", message: "?body= ignored: Telnyx does not sign the query" }),
    );
    socket.close();
  });

  test("may have a signed body parameter", async () => {
    const body = `${form}&body=${Buffer.from('{"order":7}').toString("base64url")}`;
    expect((await replay("", body)).status).toBe(200);
    expect([...runner.sessions][0]?.body).toEqual({ order: 7 });
  });

  test("without a body is rejected, with the fix, because nothing in it is signed", async () => {
    const answer = await replay(`?${form}`, undefined);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toEqual({
      code: "SIGNATURE_INVALID",
      detail: expect.stringContaining("Set the method of the webhook to POST."),
    });
    expect(runner.sessions.counts.pending).toBe(0);
  });
});
