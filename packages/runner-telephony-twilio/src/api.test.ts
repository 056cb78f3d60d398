import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createTransport, resolveOptions, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { type ApiRequest, parseObject } from "@pipecat-ts/runner-telephony";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { createEmulator, type Emulator } from "emulate";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { api } from "./api.ts";
import { createFakeTwilio } from "./caller.ts";
import { dialing } from "./dialing.ts";
import { options } from "./options.ts";
import plugin from "./plugin.ts";

const account = { accountSid: "AC00000000000000000000000000000000", authToken: "twilio_test_auth_token" };
const number = "+15551234567";
const accountPath = `/2010-04-01/Accounts/${account.accountSid}`;
let emulator: Emulator;

/** A port for a server that does not accept port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

beforeAll(async () => {
  emulator = await createEmulator({ service: "twilio", port: await freePort() });
});
afterAll(async () => await emulator.close());

function settings(given: Readonly<Record<string, string>> = {}) {
  return resolveOptions(options, { given: { ...account, apiUrl: emulator.url, ...given }, env: {} });
}

/** Sends a request to the emulator's API. */
async function request(method: string, path: string, fields?: Readonly<Record<string, string>>) {
  const credentials = Buffer.from(`${account.accountSid}:${account.authToken}`).toString("base64");
  const answer = await fetch(new URL(path, emulator.url), {
    method,
    headers: { authorization: `Basic ${credentials}`, connection: "close" },
    ...(fields && { body: new URLSearchParams(fields) }),
  });
  return parseObject(await answer.text()) ?? {};
}

describe("hanging up with an emulator of Twilio's API", () => {
  async function send({ method, url, headers, body, isDone }: ApiRequest) {
    const answer = await fetch(url, { method, headers: { ...headers, connection: "close" }, ...(body && { body }) });
    const { status, ok } = answer;
    const text = await answer.text();
    return { status, body: text, done: ok || isDone?.({ status, headers: {}, body: text }) === true };
  }

  async function createCall(): Promise<string> {
    const fields = { To: number, From: number, Url: "https://bots.example.com/twilio" };
    return String((await request("POST", `${accountPath}/Calls.json`, fields)).sid);
  }

  test("completes the call, and succeeds also when it has ended", async () => {
    const callId = await createCall();
    const first = await send(api.hangUp({ streamId: "MZ1", callId }, settings()));
    expect(first).toMatchObject({ status: 200, done: true });
    expect(parseObject(first.body)).toMatchObject({ sid: callId, status: "completed" });
    expect(await send(api.hangUp({ streamId: "MZ1", callId }, settings()))).toMatchObject({ done: true });
  });

  test("cancels an outbound call that rings", async () => {
    const url = new URL("https://bots.example.com/twilio/status/1");
    const placed = await send(
      dialing.request(
        {
          ...{ to: number, from: number, answerUrl: url, statusUrl: url, socketUrl: () => url },
          ...{ ringSeconds: 60, machineDetection: true },
        },
        settings(),
      ),
    );
    expect(placed.status).toBe(201);
    const callId = dialing.placedId?.(parseObject(placed.body) ?? {});
    expect(callId).toMatch(/^CA[0-9a-f]{32}$/);
    const canceled = await send(api.hangUp({ streamId: "", callId: String(callId) }, settings()));
    expect(parseObject(canceled.body)).toMatchObject({ sid: callId, status: "completed" });
  });

  test("succeeds when Twilio no longer knows the call", async () => {
    const answer = await send(
      api.hangUp({ streamId: "MZ1", callId: "CA00000000000000000000000000000000" }, settings()),
    );
    expect(answer).toMatchObject({ status: 404, body: expect.stringContaining("20404"), done: true });
  });

  test("fails with a wrong token", async () => {
    const call = { streamId: "MZ1", callId: await createCall() };
    const answer = await send(api.hangUp(call, settings({ authToken: "wrong" })));
    expect(answer).toMatchObject({ status: 401, body: expect.stringContaining("20003"), done: false });
  });

  test("the probe of doctor succeeds, and fails with a wrong token", async () => {
    const probe = async (given: Readonly<Record<string, string>>) =>
      (await send(api.probe?.(settings(given)) as ApiRequest)).status;
    expect([await probe({}), await probe({ authToken: "wrong" })]).toEqual([200, 401]);
    expect(api.probe?.({ ...settings(), accountSid: undefined })).toBeUndefined();
  });

  test("uses the account of the call when none is configured", async () => {
    const call = { streamId: "MZ1", callId: await createCall(), accountSid: account.accountSid };
    expect(await send(api.hangUp(call, { ...settings(), accountSid: undefined }))).toMatchObject({ status: 200 });
  });
});

test("no request is made for a call of an unknown account", () => {
  for (const accountSid of [undefined, ""]) {
    const call = { streamId: "MZ1", callId: "CA1", ...(accountSid === undefined ? {} : { accountSid }) };
    expect(() => api.hangUp(call, { ...settings(), accountSid: undefined })).toThrow(
      expect.objectContaining({ code: "CARRIER_CREDENTIALS_MISSING", fix: expect.stringContaining("ACCOUNT_SID") }),
    );
  }
});

test("an API key authenticates requests instead of the auth token, if its secret is set too", () => {
  const credentialsOf = (given: Readonly<Record<string, string>>) => {
    const { headers } = api.hangUp({ streamId: "MZ1", callId: "CA1" }, settings(given));
    return Buffer.from(String(headers?.authorization).replace("Basic ", ""), "base64").toString();
  };
  const accountCredentials = `${account.accountSid}:${account.authToken}`;
  expect(credentialsOf({ apiKey: "SK1", apiSecret: "secret" })).toBe("SK1:secret");
  expect(credentialsOf({ apiKey: "SK1" })).toBe(accountCredentials);
  expect(credentialsOf({})).toBe(accountCredentials);
  const { url } = api.hangUp({ streamId: "MZ1", callId: "CA1" }, settings({ apiKey: "SK1", apiSecret: "secret" }));
  expect(url.pathname).toContain(account.accountSid);
});

test.each([
  [{ authToken: "x" }, true],
  [{ apiKey: "x", apiSecret: "x" }, true],
  [{ apiKey: "x" }, false],
  [{ apiSecret: "x" }, false],
  [{}, false],
])("calls can be hung up with an auth token or a complete API key: %j", (given, isReady) => {
  expect(api.isReady(resolveOptions(options, { given, env: {} }))).toBe(isReady);
});

test("a transfer dials the number or the SIP URI", () => {
  const call = { streamId: "MZ1", callId: "CA1" };
  const documentUrl = () => new URL("https://bots.example.com");
  const twiml = (number: string, whisperUrl?: URL) =>
    new URLSearchParams(
      api.transfer?.(call, { number, documentUrl, whisperUrl: () => whisperUrl }, settings()).body,
    ).get("Twiml");
  expect(twiml("+15550123")).toContain("<Response><Dial><Number>+15550123</Number></Dial></Response>");
  expect(twiml("sip:agent@example.com")).toContain("<Dial><Sip>sip:agent@example.com</Sip></Dial>");
  expect(twiml("+15550123", new URL("https://bots.example.com/twilio?whisper=1&a=2"))).toContain(
    '<Dial><Number url="https://bots.example.com/twilio?whisper=1&amp;a=2">+15550123</Number></Dial>',
  );
});

test("region and edge are part of the API's host name", () => {
  const host = (given: Readonly<Record<string, string>>) => {
    const { apiUrl: _, ...rest } = settings();
    const resolved = resolveOptions(options, { given: { ...rest, ...given }, env: {} });
    return api.hangUp({ streamId: "MZ1", callId: "CA1" }, resolved).url.host;
  };
  expect(host({})).toBe("api.twilio.com");
  expect(host({ region: "ie1" })).toBe("api.ie1.twilio.com");
  expect(host({ region: "ie1", edge: "dublin" })).toBe("api.dublin.ie1.twilio.com");
  expect(host({ edge: "dublin" })).toBe("api.dublin.us1.twilio.com");
  expect(host({ region: "ie1", apiUrl: "https://proxy.example" })).toBe("proxy.example");
});

test("a malformed call id stays in its path segment", () => {
  const { url } = api.hangUp({ streamId: "MZ1", callId: "../../x?y#z" }, settings());
  expect(url.href).toBe(`${emulator.url}${accountPath}/Calls/..%2F..%2Fx%3Fy%23z.json`);
});

describe("a runner with an emulated Twilio", () => {
  let runner: Runner;
  let bots: SessionArguments[];

  beforeEach(async () => {
    bots = [];
    const port = await freePort();
    runner = createRunner({
      async bot(args) {
        bots.push(args);
        await createTransport(args, { twilio: () => ({}) });
      },
      plugins: [plugin],
      pluginOptions: { twilio: { ...account, apiUrl: emulator.url } },
      host: "127.0.0.1",
      port,
      publicUrl: `http://127.0.0.1:${port}`,
      env: {},
      logger: createRecordingLogger(),
    });
    await runner.listen();
  });
  afterEach(async () => await runner.close());

  test.each(["POST", "GET"])("answers a call with %s, and hangs up", async (method) => {
    const { incoming_phone_numbers: numbers } = await request("GET", `${accountPath}/IncomingPhoneNumbers.json`);
    const [known] = numbers as readonly { readonly sid: string; readonly phone_number: string }[];
    expect(known?.phone_number).toBe(number);
    const voice = { VoiceUrl: new URL("/twilio", runner.url).href, VoiceMethod: method };
    await request("POST", `${accountPath}/IncomingPhoneNumbers/${known?.sid}.json`, voice);

    const { sid } = await request("POST", "/_twilio/simulate/inbound-call", { To: number, From: "+15550100" });
    const [session] = runner.sessions;
    expect(session?.state).toBe("pending");
    const socketUrl = `ws://${runner.url.host}/ws/${session?.id}`;
    const phone = await createFakeTwilio(account).call({ at: runner.url, socketUrl, callId: String(sid) });
    await phone.closed;
    expect(bots).toMatchObject([{ sessionId: session?.id, callData: { callId: sid, from: "+15550100", to: number } }]);
    expect(await request("GET", `${accountPath}/Calls/${sid}.json`)).toMatchObject({ status: "completed" });
  });

  test("rejects a webhook request signed with another token, and creates no session", async () => {
    const answer = await fetch(new URL("/twilio", runner.url), {
      method: "POST",
      body: new URLSearchParams({ CallSid: "CA1", From: "+15550100", To: number }),
      headers: { "x-twilio-signature": "c2lnbmF0dXJl", connection: "close" },
    });
    expect(answer.status).toBe(403);
    expect(runner.sessions.counts.pending).toBe(0);
  });
});
