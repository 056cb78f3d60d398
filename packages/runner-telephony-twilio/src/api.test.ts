import { resolveOptions } from "@pipecat-ts/runner-core";
import { type ApiRequest, parseObject } from "@pipecat-ts/runner-telephony";
import { createEmulator, type Emulator } from "emulate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { api } from "./api.ts";
import { options } from "./options.ts";
import { freePort } from "./test/free-port.ts";

const accountSid = "AC00000000000000000000000000000000";
const authToken = "twilio_test_auth_token";
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator({ service: "twilio", port: await freePort() });
});
afterAll(async () => await emulator.close());

function settings(given: Readonly<Record<string, string>> = {}) {
  return resolveOptions(options, { given: { accountSid, authToken, apiUrl: emulator.url, ...given }, env: {} });
}

async function send(
  request: ApiRequest,
): Promise<{ readonly status: number; readonly body: string; readonly done: boolean }> {
  const { method, url, headers, body = null } = request;
  const answer = await fetch(url, { method, headers: { ...headers, connection: "close" }, body });
  const text = await answer.text();
  return { status: answer.status, body: text, done: answer.ok || request.isDone?.(answer.status, text) === true };
}

async function createCall(): Promise<string> {
  const answer = await fetch(new URL(`/2010-04-01/Accounts/${accountSid}/Calls.json`, emulator.url), {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`,
      connection: "close",
    },
    body: new URLSearchParams({ To: "+15551234567", From: "+15551234567", Url: "https://bots.example.com/twilio" }),
  });
  return String(parseObject(await answer.text())?.sid);
}

describe("hanging up at an emulator of Twilio's API", () => {
  test("completes the call, and is done also when it is over", async () => {
    const callId = await createCall();
    const first = await send(api.hangUp({ streamId: "MZ1", callId }, settings()));
    expect(first).toMatchObject({ status: 200, done: true });
    expect(parseObject(first.body)).toMatchObject({ sid: callId, status: "completed" });
    expect(await send(api.hangUp({ streamId: "MZ1", callId }, settings()))).toMatchObject({ done: true });
  });

  test("is done where the call is no longer known", async () => {
    const answer = await send(
      api.hangUp({ streamId: "MZ1", callId: "CA00000000000000000000000000000000" }, settings()),
    );
    expect(answer).toMatchObject({ status: 404, body: expect.stringContaining("20404"), done: true });
  });

  test("is refused with a wrong token", async () => {
    const request = api.hangUp({ streamId: "MZ1", callId: await createCall() }, settings({ authToken: "wrong" }));
    expect(await send(request)).toMatchObject({ status: 401, body: expect.stringContaining("20003"), done: false });
  });

  test("takes the account from the call where none is given", async () => {
    const { accountSid: _, ...without } = settings();
    const call = { streamId: "MZ1", callId: await createCall(), accountSid };
    expect(await send(api.hangUp(call, { ...without, accountSid: undefined }))).toMatchObject({ status: 200 });
  });
});

test("a transfer dials the number, or the SIP address", () => {
  const call = { streamId: "MZ1", callId: "CA1" };
  const twiml = (number: string) =>
    new URLSearchParams(api.transfer?.(call, number, settings(), () => new URL("https://bots.example.com")).body).get(
      "Twiml",
    );
  expect(twiml("+15550123")).toContain("<Response><Dial>+15550123</Dial></Response>");
  expect(twiml("sip:agent@example.com")).toContain("<Dial><Sip>sip:agent@example.com</Sip></Dial>");
});

test("the API's host is that of region and edge", () => {
  const host = (given: Readonly<Record<string, string>>) => {
    const { apiUrl: _, ...rest } = settings();
    const standard = resolveOptions(options, { given: { ...rest, ...given }, env: {} });
    return api.hangUp({ streamId: "MZ1", callId: "CA1" }, standard).url.host;
  };
  expect(host({})).toBe("api.twilio.com");
  expect(host({ region: "ie1" })).toBe("api.ie1.twilio.com");
  expect(host({ region: "ie1", edge: "dublin" })).toBe("api.dublin.ie1.twilio.com");
  expect(host({ edge: "dublin" })).toBe("api.dublin.us1.twilio.com");
  expect(host({ region: "ie1", apiUrl: "https://proxy.example" })).toBe("proxy.example");
});

test("an id that is no id stays in its segment", () => {
  const { url } = api.hangUp({ streamId: "MZ1", callId: "../../x?y#z" }, settings());
  expect(url.href).toBe(`${emulator.url}/2010-04-01/Accounts/${accountSid}/Calls/..%2F..%2Fx%3Fy%23z.json`);
});
