import { createTransport, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { PhoneTransport } from "@pipecat-ts/runner-telephony";
import type { FakeApi } from "@pipecat-ts/runner-telephony/caller";
import { createRecordingLogger, send } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFakeVonage, createVonageAccount } from "./caller.ts";
import plugin from "./plugin.ts";
import { sign } from "./signature.ts";

const account = createVonageAccount("a secret");
const vonage = createFakeVonage(account);
const uuid = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
let api: FakeApi;
let runner: Runner;
let bots: { readonly args: SessionArguments; readonly transport: PhoneTransport }[];

beforeEach(async () => {
  bots = [];
  api = await vonage.openApi();
});
afterEach(async () => {
  await runner.close();
  await api.close();
});

async function open(more: Partial<RunnerOptions> = {}, options: object = {}): Promise<void> {
  runner = createRunner({
    async bot(args) {
      const transport = (await createTransport(args, { vonage: () => ({}) })) as PhoneTransport;
      bots.push({ args, transport });
      await transport.closed;
    },
    plugins: [plugin],
    pluginOptions: { vonage: { ...account, apiUrl: api.url, ...options } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
    ...more,
  });
  await runner.listen();
}

async function call(options: Partial<Parameters<typeof vonage.call>[0]> = {}) {
  const phone = await vonage.call({ at: runner.url, ...options });
  await expect.poll(() => bots.length).toBe(1);
  return { phone, transport: bots[0]?.transport as PhoneTransport, args: bots[0]?.args };
}

/** A signed webhook request. */
function post(fields: object) {
  const body = JSON.stringify(fields);
  const headers = { "content-type": "application/json", ...sign(body, account.signatureSecret ?? "") };
  return send(new URL("/vonage", runner.url), { method: "POST", headers, body });
}

describe("a call", () => {
  test("has the numbers of the webhook", async () => {
    await open();
    const { phone, args } = await call({ callId: uuid });
    expect(args?.callData).toMatchObject({
      callId: uuid,
      from: "15550100",
      to: "15550199",
      conversationId: `CON-${uuid}`,
    });
    await phone.hangUp();
  });

  test("is transferred with a whisper, which Vonage fetches with GET", async () => {
    await open({ publicUrl: "https://bots.example.com" });
    const { phone, transport } = await call({ callId: uuid, publicUrl: new URL("https://bots.example.com") });
    await transport.transferTo("+15550123", { whisper: { say: "Hola", language: "es-ES" } });
    await phone.closed;
    const [{ destination }] = api.requests.map(({ body }) => JSON.parse(body));
    const { url } = destination.ncco[0].endpoint[0].onAnswer;
    const { origin, pathname, search } = new URL(url);
    expect([origin, pathname]).toEqual(["https://bots.example.com", "/vonage"]);
    const fetched = await send(new URL(`/vonage${search}&uuid=${uuid}`, runner.url));
    expect(fetched.json).toEqual([{ action: "talk", text: "Hola", language: "es-ES" }]);
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("sends DTMF and is transferred", async () => {
    await open();
    const { phone, transport } = await call({ callId: uuid });
    await transport.sendDtmf("12w#");
    await transport.transferTo("+15550123");
    await phone.closed;
    expect(api.requests.map(({ path }) => path)).toEqual([`/v1/calls/${uuid}/dtmf`, `/v1/calls/${uuid}`]);
    expect(JSON.parse(api.requests[1]?.body ?? "")).toMatchObject({
      action: "transfer",
      destination: { ncco: [{ endpoint: [{ type: "phone", number: "15550123" }] }] },
    });
  });

  test("that the caller ends is not hung up, and one whose network breaks is", async () => {
    await open();
    await (await call()).phone.hangUp();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(api.requests).toEqual([]);
    bots = [];
    (await call()).phone.drop();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(api.requests).toMatchObject([{ body: '{"action":"hangup"}' }]);
  });

  test("above the capacity is rejected with 429: Vonage has no busy tone", async () => {
    await open({ maxSessions: 1 });
    const { phone } = await call();
    await expect(vonage.call({ at: runner.url })).rejects.toThrow("429");
    await phone.hangUp();
  });
});

describe("the event webhook", () => {
  test("does not create sessions, and ends a call that was never connected", async () => {
    await open();
    const call = { uuid, from: "15550100", to: "15550199" };
    expect((await post({ ...call, status: "ringing" })).text).toBe("");
    expect(runner.sessions.counts.pending).toBe(0);
    expect((await post(call)).text).toContain("websocket");
    expect((await post({ ...call, status: "answered" })).text).toBe("");
    expect(runner.sessions.counts.pending).toBe(1);
    await post({ ...call, status: "completed" });
    expect(runner.sessions.counts.pending).toBe(0);
  });
});

describe("signatures", () => {
  test("are required on webhooks, with the body as signed", async () => {
    await open();
    const forger = createFakeVonage({ ...account, signatureSecret: "another secret" });
    await expect(forger.call({ at: runner.url })).rejects.toThrow("403");
    const headers = { "content-type": "application/json", ...sign("{}", "a secret") };
    const other = await send(new URL("/vonage", runner.url), {
      method: "POST",
      headers,
      body: JSON.stringify({ uuid }),
    });
    expect(other.status).toBe(403);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("cannot cover a GET request, and the fix says so", async () => {
    await open();
    const { status, text } = await send(new URL(`/vonage?uuid=${uuid}`, runner.url), {
      method: "GET",
      headers: sign("", "a secret"),
    });
    expect([status, text]).toEqual([403, expect.stringContaining("Set the method of the webhook to POST.")]);
  });

  test("open a bare socket for an NCCO of your own, which names the call; unsigned sockets are closed", async () => {
    await open();
    const socketUrl = `ws://${runner.url.host}/ws`;
    const { phone, args, transport } = await call({ socketUrl, callId: uuid });
    expect(args?.callData?.callId).toBe(uuid);
    await transport.hangUp();
    await phone.closed;
    expect(api.requests).toMatchObject([{ path: `/v1/calls/${uuid}`, body: '{"action":"hangup"}' }]);
    const unsigned = createFakeVonage({ ...account, signatureSecret: undefined });
    await expect(unsigned.call({ at: runner.url, socketUrl })).rejects.toThrow("403");
  });

  test.each([{ webSocketAuth: "token" }, { apiKey: "a-key-of-sixteen-letters" }] as const)(
    "let calls in with %j, although the socket has Vonage's token too",
    async (options) => {
      await open({ ...options, publicUrl: "https://voice.example.com" });
      const { phone } = await call({ publicUrl: new URL("https://voice.example.com") });
      await phone.hangUp();
    },
  );
});

test("without the key of the application, the availability says that calls cannot be hung up", async () => {
  await open({ publicUrl: "https://voice.example.com" }, { privateKey: undefined });
  expect(runner.transports[0]?.availability).toEqual({
    state: "limited",
    reason: "Calls end only when their socket closes: the runner cannot hang up or transfer them.",
    fix: "Set VONAGE_APPLICATION_ID and VONAGE_PRIVATE_KEY.",
  });
});

test("an outbound call is rejected when Vonage's reports about it could not be verified", async () => {
  const apiKey = "a-key-of-sixteen-letters";
  const publicUrl = new URL("https://bots.example.com");
  await open({ publicUrl, apiKey }, { signatureSecret: undefined, allowDial: ["+1555"] });
  const { status, json } = await send(new URL("/start", runner.url), {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}` },
    body: { transport: "vonage", dial: { to: "+15550100", from: "+15550199" } },
  });
  expect([status, json]).toMatchObject([
    500,
    { code: "CARRIER_CREDENTIALS_MISSING", detail: expect.stringContaining("VONAGE_SIGNATURE_SECRET") },
  ]);
  expect(api.requests).toEqual([]);
});
