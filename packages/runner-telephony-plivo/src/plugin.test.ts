import { connectOf } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import type { PhoneTransport } from "@pipecat-ts/runner-telephony";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import type { FakeApi } from "@pipecat-ts/runner-testing/phone";
import { afterEach, beforeEach, expect, test } from "vitest";
import plugin from "./plugin.ts";
import { createFakePlivo } from "./testing.ts";

const account = { authId: "MA0123", authToken: "a token" };
const plivo = createFakePlivo(account);
let api: FakeApi;
let runner: Runner;
let bots: PhoneTransport[];

beforeEach(async () => {
  bots = [];
  api = await plivo.openApi();
  runner = createRunner({
    async bot(args) {
      const transport = (await connectOf(args)({})) as PhoneTransport;
      bots.push(transport);
      await transport.closed;
    },
    plugins: [plugin],
    pluginOptions: { plivo: { ...account, apiUrl: api.url } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  await runner.listen();
});
afterEach(async () => {
  await runner.close();
  await api.close();
});

async function post(fields: Readonly<Record<string, string>>, query = ""): Promise<string> {
  const answer = await fetch(new URL(`/plivo${query}`, runner.url), {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { connection: "close" },
  });
  expect(answer.status).toBe(200);
  return await answer.text();
}

test("the answer keeps the call alive and names the format", async () => {
  expect(await post({ CallUUID: "C1", Event: "StartApp" })).toMatch(
    /^<\?xml[^>]*\?><Response><Stream bidirectional="true" keepCallAlive="true" contentType="audio\/x-mulaw;rate=8000">ws:\/\/[^<]+<\/Stream><\/Response>$/,
  );
});

test("news of a hang-up on the answer URL starts nothing and ends what waits", async () => {
  await post({ CallUUID: "C1", Event: "StartApp" });
  expect(runner.sessions.counts.pending).toBe(1);
  expect(await post({ CallUUID: "C1", Event: "Hangup" })).toContain("<Response/>");
  await expect.poll(() => runner.sessions.counts.pending).toBe(0);
});

test("keys are dialled by the carrier", async () => {
  const phone = await plivo.call({ at: runner.url });
  await expect.poll(() => bots.length).toBe(1);
  await bots[0]?.sendDtmf("12w#");
  await expect.poll(() => phone.dialled).toEqual(["12#"]);
  await phone.hangUp();
});

test("a transfer names a document of the runner's, which dials the number", async () => {
  const phone = await plivo.call({ at: runner.url });
  await expect.poll(() => bots.length).toBe(1);
  await bots[0]?.transferTo("+15550123");
  await phone.closed;
  expect(api.requests).toHaveLength(1);
  const { aleg_url, ...rest } = JSON.parse(api.requests[0]?.body ?? "");
  expect(rest).toEqual({ legs: "aleg", aleg_method: "POST" });
  const { pathname, search } = new URL(aleg_url);
  expect(pathname).toBe("/plivo");
  expect(await post({ CallUUID: phone.callId }, search)).toContain(
    "<Response><Dial><Number>+15550123</Number></Dial></Response>",
  );
  expect(await post({ CallUUID: "C9" }, "?transferTo=%3CDial%3E")).toContain("<Stream");
});
