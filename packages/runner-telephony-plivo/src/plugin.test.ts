import { once } from "node:events";
import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { PhoneTransport } from "@pipecat-ts/runner-telephony";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import type { CallOptions, FakeApi, PhoneCall } from "@pipecat-ts/runner-testing/phone";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import plugin from "./plugin.ts";
import { createFakePlivo } from "./testing.ts";

const account = { authId: "MA0123", authToken: "a token" };
const plivo = createFakePlivo(account);
let api: FakeApi;
let runner: Runner;
let bots: PhoneTransport[];
let logger: RecordingLogger;

beforeEach(async () => {
  bots = [];
  logger = createRecordingLogger();
  api = await plivo.openApi();
});
afterEach(async () => {
  await runner.close();
  await api.close();
});

async function open(more: Partial<RunnerOptions> = {}, plivoOptions: object = {}): Promise<void> {
  runner = createRunner({
    async bot(args) {
      const transport = (await createTransport(args, { plivo: () => ({}) })) as PhoneTransport;
      bots.push(transport);
      await transport.closed;
    },
    plugins: [plugin],
    pluginOptions: { plivo: { ...account, apiUrl: api.url, ...plivoOptions } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...more,
  });
  await runner.listen();
}

/** A call whose bot has its transport. */
async function call(options: Partial<CallOptions> = {}): Promise<PhoneCall> {
  const phone = await plivo.call({ at: runner.url, ...options });
  await expect.poll(() => bots.length).toBe(1);
  return phone;
}

async function post(fields: Readonly<Record<string, string>>, query = ""): Promise<string> {
  const answer = await fetch(new URL(`/plivo${query}`, runner.url), {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { connection: "close" },
  });
  expect(answer.status).toBe(200);
  return await answer.text();
}

test("the reply keeps the call alive and names the format", async () => {
  await open();
  expect(await post({ CallUUID: "C1", Event: "StartApp" })).toMatch(
    /^<\?xml[^>]*\?><Response><Stream bidirectional="true" keepCallAlive="true" contentType="audio\/x-mulaw;rate=8000">ws:\/\/[^<]+<\/Stream><\/Response>$/,
  );
});

test("a hang-up notice at the answer URL ends the pending session and creates none", async () => {
  await open();
  await post({ CallUUID: "C1", Event: "StartApp" });
  expect(runner.sessions.counts.pending).toBe(1);
  expect(await post({ CallUUID: "C1", Event: "Hangup" })).toContain("<Response/>");
  await expect.poll(() => runner.sessions.counts.pending).toBe(0);
});

test("callers above the capacity get the busy tone", async () => {
  await open({ maxSessions: 1 });
  const phone = await call();
  expect(await post({ CallUUID: "C2", Event: "StartApp" })).toContain('<Response><Hangup reason="busy"/></Response>');
  await phone.hangUp();
});

test("the call ends when Plivo closes the socket, without an API request", async () => {
  await open();
  const phone = await call();
  await phone.hangUp();
  await expect.poll(() => runner.sessions.counts.active).toBe(0);
  expect(api.requests).toEqual([]);
});

test("a broken call that has ended already is not logged as a failure", async () => {
  await open();
  const phone = await call();
  phone.drop();
  await expect.poll(() => runner.sessions.counts.active).toBe(0);
  // The fake carrier ends the call with its socket.
  expect(api.requests).toMatchObject([{ method: "DELETE" }]);
  const logged = logger.lines.filter(({ message }) => ["call hung up", "hang-up failed"].includes(message));
  expect(logged).toMatchObject([{ level: "debug", message: "call hung up" }]);
});

test("Plivo sends DTMF", async () => {
  await open();
  const phone = await call();
  await bots[0]?.sendDtmf("12w#");
  await expect.poll(() => phone.dialed).toEqual(["12#"]);
  await phone.hangUp();
});

describe("a transfer", () => {
  const publicUrl = new URL("https://bots.example.com");

  test("names the URL of a document that dials the number", async () => {
    await open({ publicUrl }, { verifySignatures: false });
    const phone = await call({ publicUrl });
    await bots[0]?.transferTo("+15550123");
    await phone.closed;
    expect(api.requests).toHaveLength(1);
    const { aleg_url, ...rest } = JSON.parse(api.requests[0]?.body ?? "");
    expect(rest).toEqual({ legs: "aleg", aleg_method: "POST" });
    const { origin, pathname, search } = new URL(aleg_url);
    expect([origin, pathname]).toEqual(["https://bots.example.com", "/plivo"]);
    expect(await post({ CallUUID: phone.callId }, search)).toContain(
      "<Response><Dial><Number>+15550123</Number></Dial></Response>",
    );
    expect(await post({ CallUUID: "C9" }, "?transferTo=%3CDial%3E")).toContain("<Stream");
  });

  test("uses the URL that a trusted proxy forwards", async () => {
    await open({ trustProxy: true });
    const headers = { "x-forwarded-host": "bots.example.com", "x-forwarded-proto": "https" };
    const socket = new WebSocket(`ws://${runner.url.host}/ws`, { headers });
    await once(socket, "open");
    socket.send(JSON.stringify({ event: "start", start: { callId: "C1", streamId: "S1" } }));
    const closed = once(socket, "close");
    await expect.poll(() => bots.length).toBe(1);
    await bots[0]?.transferTo("+15550123").catch(() => undefined); // Plivo does not know the call
    expect(JSON.parse(api.requests[0]?.body ?? "").aleg_url).toMatch(/^https:\/\/bots\.example\.com\/plivo\?/);
    socket.close();
    await closed;
  });

  test("is rejected when Plivo cannot reach the document, and the call continues", async () => {
    await open();
    const phone = await call();
    await expect(bots[0]?.transferTo("+15550123")).rejects.toMatchObject({
      code: "PUBLIC_URL_MISSING",
      fix: expect.stringContaining("--public-url"),
    });
    expect(api.requests).toEqual([]);
    expect(runner.sessions.counts.active).toBe(1);
    await phone.hangUp();
  });
});

describe("a socket with an unknown signature", () => {
  const publicUrl = new URL("https://bots.example.com");
  const other = createFakePlivo({ ...account, authToken: "another" });
  const dial = () => other.call({ at: runner.url, publicUrl, socketUrl: "wss://bots.example.com/ws" });

  test("is accepted by default, because Plivo does not document what it signs", async () => {
    await open({ publicUrl });
    const phone = await dial();
    await expect.poll(() => bots.length).toBe(1);
    await phone.hangUp();
  });

  test("is rejected with verifySockets", async () => {
    await open({ publicUrl }, { verifySockets: true });
    await expect(dial()).rejects.toThrow("403");
  });
});
