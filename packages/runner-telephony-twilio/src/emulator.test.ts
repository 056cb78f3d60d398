import { connectOf, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { parseObject } from "@pipecat-ts/runner-telephony";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { createEmulator, type Emulator } from "emulate";
import { afterEach, beforeEach, expect, test } from "vitest";
import plugin from "./plugin.ts";
import { freePort } from "./test/free-port.ts";
import { createFakeTwilio } from "./testing.ts";

const account = { accountSid: "AC00000000000000000000000000000000", authToken: "twilio_test_auth_token" };
const number = "+15551234567";
let emulator: Emulator;
let runner: Runner;
let bots: SessionArguments[];

beforeEach(async () => {
  bots = [];
  const [apiPort, port] = [await freePort(), await freePort()];
  emulator = await createEmulator({ service: "twilio", port: apiPort });
  runner = createRunner({
    async bot(args) {
      bots.push(args);
      await connectOf(args)({});
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
afterEach(async () => {
  await runner.close();
  await emulator.close();
});

async function ask(method: string, path: string, fields?: Readonly<Record<string, string>>) {
  const credentials = Buffer.from(`${account.accountSid}:${account.authToken}`).toString("base64");
  const answer = await fetch(new URL(path, emulator.url), {
    method,
    headers: { authorization: `Basic ${credentials}`, connection: "close" },
    ...(fields && { body: new URLSearchParams(fields) }),
  });
  return parseObject(await answer.text()) ?? {};
}

test.each(["POST", "GET"])(
  "a number of an emulated Twilio rings the bot by %s, which hangs up there",
  async (method) => {
    const base = `/2010-04-01/Accounts/${account.accountSid}`;
    const { incoming_phone_numbers: numbers } = await ask("GET", `${base}/IncomingPhoneNumbers.json`);
    const [known] = numbers as readonly { readonly sid: string; readonly phone_number: string }[];
    expect(known?.phone_number).toBe(number);
    const voice = { VoiceUrl: new URL("/twilio", runner.url).href, VoiceMethod: method };
    await ask("POST", `${base}/IncomingPhoneNumbers/${known?.sid}.json`, voice);

    const { sid } = await ask("POST", "/_twilio/simulate/inbound-call", { To: number, From: "+15550100" });
    const session = runner.sessions.find(String(sid));
    expect(session?.state).toBe("pending");
    const socketUrl = `ws://${runner.url.host}/ws/${session?.id}`;
    const phone = await createFakeTwilio(account).call({ at: runner.url, socketUrl, callId: String(sid) });
    await phone.closed;
    expect(bots).toMatchObject([{ sessionId: session?.id, callData: { callId: sid, from: "+15550100", to: number } }]);
    expect(await ask("GET", `${base}/Calls/${sid}.json`)).toMatchObject({ status: "completed" });
  },
);

test("one whose token is another gets 403, and no session", async () => {
  const form = new URLSearchParams({ CallSid: "CA1", From: "+15550100", To: number });
  const answer = await fetch(new URL("/twilio", runner.url), {
    method: "POST",
    body: form,
    headers: { "x-twilio-signature": "c2lnbmF0dXJl", connection: "close" },
  });
  expect(answer.status).toBe(403);
  expect(runner.sessions.counts.pending).toBe(0);
});
