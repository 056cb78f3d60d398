import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { PhoneTransport } from "@pipecat-ts/runner-telephony";
import type { CallOptions, FakeApi, PhoneCall } from "@pipecat-ts/runner-telephony/caller";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFakePlivo } from "./caller.ts";
import plugin from "./plugin.ts";
import { sign } from "./signature.ts";

const account = { authId: "MA0123", authToken: "a token" };
const plivo = createFakePlivo(account);
const publicUrl = new URL("https://bots.example.com");
const callId = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const streamId = "b77e037d-4119-44b5-902d-25826b654539";
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

/** A call that starts on the bare socket. */
function dial(): Promise<PhoneCall> {
  return plivo.call({ at: runner.url, socketUrl: `ws://${runner.url.host}/ws` });
}

/** Sends a webhook request, which is signed for the public URL `signedFor`. */
async function post(fields: Readonly<Record<string, string>>, query = "", signedFor?: URL): Promise<string> {
  const nonce = "a nonce";
  const form = new URLSearchParams(fields);
  const url = new URL(`/plivo${query}`, signedFor ?? runner.url);
  const answer = await fetch(new URL(`/plivo${query}`, runner.url), {
    method: "POST",
    body: form,
    headers: {
      connection: "close",
      "x-plivo-signature-v3": sign("POST", url.href, form, nonce, account.authToken),
      "x-plivo-signature-v3-nonce": nonce,
    },
  });
  expect(answer.status).toBe(200);
  return await answer.text();
}

test("the reply keeps the call alive and names the format", async () => {
  await open();
  expect(await post({ CallUUID: callId, Event: "StartApp" })).toMatch(
    /^<\?xml[^>]*\?><Response><Stream bidirectional="true" keepCallAlive="true" contentType="audio\/x-mulaw;rate=8000">ws:\/\/[^<]+<\/Stream><\/Response>$/,
  );
});

test("a hang-up notice at the answer URL ends the pending session and creates none", async () => {
  await open();
  await post({ CallUUID: callId, Event: "StartApp" });
  expect(runner.sessions.counts.pending).toBe(1);
  expect(await post({ CallUUID: callId, Event: "Hangup" })).toContain("<Response/>");
  await expect.poll(() => runner.sessions.counts.pending).toBe(0);
});

test("callers above the capacity get the busy tone", async () => {
  await open({ maxSessions: 1 });
  const phone = await call();
  expect(await post({ CallUUID: "97ceeb52-58b6-11e1-86da-77300b68f8bc", Event: "StartApp" })).toContain(
    '<Response><Hangup reason="busy"/></Response>',
  );
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
  await open({ publicUrl });
  const phone = await call({ publicUrl });
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
  test("names the URL of a document that dials the number", async () => {
    await open({ publicUrl });
    const phone = await call({ publicUrl });
    await bots[0]?.transferTo("+15550123");
    await phone.closed;
    expect(api.requests).toHaveLength(1);
    const { aleg_url, ...rest } = JSON.parse(api.requests[0]?.body ?? "");
    expect(rest).toEqual({ legs: "aleg", aleg_method: "POST" });
    const { origin, pathname, search } = new URL(aleg_url);
    expect([origin, pathname]).toEqual(["https://bots.example.com", "/plivo"]);
    expect(await post({ CallUUID: phone.callId }, search, publicUrl)).toContain(
      "<Response><Dial><Number>+15550123</Number></Dial></Response>",
    );
    expect(await post({ CallUUID: callId }, "?transferTo=%3CDial%3E", publicUrl)).toContain("<Stream");
  });

  test("with a whisper makes the document name a second one, which speaks to the callee", async () => {
    await open({ publicUrl });
    const phone = await call({ publicUrl });
    await bots[0]?.transferTo("+15550123", { whisper: { say: "Ann & Bob", language: "en-GB" } });
    await phone.closed;
    const { search } = new URL(JSON.parse(api.requests[0]?.body ?? "").aleg_url);
    const dial = await post({ CallUUID: phone.callId }, search, publicUrl);
    const [, whisperUrl = ""] = /<Dial confirmSound="([^"]+)"><Number>\+15550123<\/Number>/.exec(dial) ?? [];
    const sound = new URL(whisperUrl.replaceAll("&amp;", "&"));
    expect(sound.origin + sound.pathname).toBe("https://bots.example.com/plivo");
    expect(await post({ CallUUID: callId }, sound.search, publicUrl)).toContain(
      '<Response><Speak language="en-GB">Ann &amp; Bob</Speak></Response>',
    );
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test.each([
    ["the socket", () => dial()],
    ["the webhook", () => plivo.call({ at: runner.url })],
  ])(
    "is rejected when Plivo is not known to have sent the call, only %s named it, and the call continues",
    async (_, place) => {
      await open({ trustProxy: true });
      const phone = await place();
      await expect.poll(() => bots.length).toBe(1);
      await expect(bots[0]?.transferTo("+15550123")).rejects.toMatchObject({
        code: "CALL_UNVERIFIED",
        fix: "Start with --proxy <public hostname>.",
      });
      expect(api.requests).toEqual([]);
      expect(runner.sessions.counts.active).toBe(1);
      phone.drop();
      await expect.poll(() => runner.sessions.counts.active).toBe(0);
      expect(api.requests).toEqual([]);
    },
  );
});

describe("a socket with an unknown signature", () => {
  const other = createFakePlivo({ ...account, authToken: "another" });
  const dialOther = () => other.call({ at: runner.url, publicUrl, socketUrl: "wss://bots.example.com/ws" });

  test("is accepted by default, because Plivo does not document what it signs", async () => {
    await open({ publicUrl });
    const phone = await dialOther();
    await expect.poll(() => bots.length).toBe(1);
    await phone.hangUp();
  });

  test("is rejected with verifySockets", async () => {
    await open({ publicUrl }, { verifySockets: true });
    await expect(dialOther()).rejects.toThrow("403");
  });
});

test("the body of a webhook must be signed: JSON with the signature of a form without fields is rejected", async () => {
  await open({ publicUrl });
  const url = `/plivo?CallUUID=${callId}`;
  const send = (init: RequestInit) => {
    const signature = sign("GET", new URL(url, publicUrl).href, new URLSearchParams(), "n", account.authToken);
    const headers = { connection: "close", "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": "n" };
    return fetch(new URL(url, runner.url), { ...init, headers: { ...headers, ...init.headers } });
  };
  expect((await send({})).status).toBe(200);
  const body = JSON.stringify({ CallUUID: streamId, body: "e30" });
  for (const type of ["application/json", "text/plain", "application/vnd.api+json"]) {
    const { status } = await send({ method: "POST", body, headers: { "content-type": type } });
    expect([type, status]).toEqual([type, 403]);
  }
  expect(runner.sessions.counts.pending).toBe(1);
});

test("start messages with ids that are not UUIDs are rejected", async () => {
  await open();
  for (const ids of [{ callId: "C1" }, { callId: ".." }, { streamId: "S1" }]) {
    const socket = new WebSocket(`ws://${runner.url.host}/ws`);
    socket.onopen = () => socket.send(JSON.stringify({ event: "start", start: { callId, streamId, ...ids } }));
    const { code, reason } = await new Promise<CloseEvent>((resolve) => {
      socket.onclose = resolve;
    });
    expect([code, reason]).toEqual([1008, "CALL_ID_INVALID"]);
  }
  expect(bots).toEqual([]);
});
