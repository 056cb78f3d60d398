import { once } from "node:events";
import { createTransport, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { openFakeApi } from "@pipecat-ts/runner-telephony/caller";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeTwilio } from "./caller.ts";
import plugin from "./plugin.ts";

let runner: Runner;
let bots: SessionArguments[];
beforeEach(async () => {
  bots = [];
  runner = createRunner({ ...setUp(), publicUrl: "https://bots.example.com" });
  await runner.listen();
});
afterEach(async () => await runner.close());

function setUp(): RunnerOptions {
  return {
    async bot(args) {
      bots.push(args);
      await (await createTransport(args, { twilio: () => ({}) })).closed;
    },
    plugins: [plugin],
    // No server is there: the call of a web page cannot be hung up.
    pluginOptions: { twilio: { authToken: "a token", apiUrl: "http://127.0.0.1:1" } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  };
}

function withApi(apiUrl: string): RunnerOptions {
  return { ...setUp(), pluginOptions: { twilio: { authToken: "a token", apiUrl } } };
}

test("a web page that acts as a phone needs two ids and the URL of a start request, and no signature", async () => {
  const started = await fetch(new URL("/start", runner.url), {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ transport: "twilio", body: { language: "fr" } }),
  });
  const reply = (await started.json()) as Readonly<Record<string, string>>;
  expect(Object.keys(reply)).toEqual(["wsUrl"]);
  const url = new URL(reply.wsUrl ?? "");
  expect(url.origin).toBe("wss://bots.example.com");

  // The global WebSocket, as in a browser.
  const socket = new WebSocket(`ws://${runner.url.host}${url.pathname}`);
  await once(socket, "open");
  socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
  socket.send(
    JSON.stringify({ event: "start", start: { streamSid: "ws_mock_stream_sid", callSid: "ws_mock_call_sid" } }),
  );
  await expect.poll(() => bots.length).toBe(1);
  expect(bots[0]).toMatchObject({
    transport: "twilio",
    body: { language: "fr" },
    callData: { streamId: "ws_mock_stream_sid", callId: "ws_mock_call_sid" },
  });
  const closed = once(socket, "close");
  socket.close();
  await closed;
});

test("TwiML of your own passes parameters to the bot; Twilio drops the query of its URL", async () => {
  const local = createRunner(setUp());
  await local.listen();
  const body = Buffer.from('"lost"').toString("base64url");
  const site = await openFakeApi(() => ({
    status: 200,
    body: `<?xml version="1.0" encoding="UTF-8"?>
      <Response>
        <Connect>
          <Stream url="ws://${local.url.host}/ws?a=1&amp;body=${body}">
            <Parameter name="from_number" value="+15550100" />
            <Parameter name="order" value="7 &amp; &quot;8&quot;" />
          </Stream>
        </Connect>
        <Hangup/>
      </Response>`,
  }));
  const phone = await createFakeTwilio({ accountSid: "AC1", authToken: "a token" }).call({ at: new URL(site.url) });
  await expect.poll(() => bots.length).toBe(1);
  expect(bots[0]?.body).toEqual({ from_number: "+15550100", order: '7 & "8"' });
  expect(bots[0]?.callData).toMatchObject({ callId: phone.callId, from: "+15550100" });
  await phone.hangUp();
  await Promise.all([local.close(), site.close()]);
});

test("the API is asked only about calls and accounts that Twilio itself named", async () => {
  const api = await openFakeApi(() => ({ status: 200 }));
  const account = { accountSid: `AC${"1".repeat(32)}`, authToken: "a token" };
  const publicUrl = "https://bots.example.com";
  const runners = [createRunner(withApi(api.url)), createRunner({ ...withApi(api.url), publicUrl })] as const;
  const [unverified, verified] = runners;
  for (const each of runners) await each.listen();
  const twilio = createFakeTwilio(account);
  const calls = [
    await twilio.call({ at: unverified.url }),
    await twilio.call({ at: unverified.url, socketUrl: `ws://${unverified.url.host}/ws` }),
    await twilio.call({ at: verified.url, publicUrl: new URL(publicUrl) }),
  ];
  await expect.poll(() => bots.length).toBe(3);
  for (const call of calls) call.drop();
  await expect.poll(() => runners.map(({ sessions }) => sessions.counts.active)).toEqual([0, 0]);
  expect(api.requests.map(({ path }) => path)).toEqual([
    `/2010-04-01/Accounts/${account.accountSid}/Calls/${calls[2]?.callId}.json`,
  ]);
  await Promise.all([...runners.map((each) => each.close()), api.close()]);
});

test("two variables that solve two problems are named once", async () => {
  const open = createRunner({ ...setUp(), host: "0.0.0.0", pluginOptions: { twilio: {} } });
  await open.listen();
  expect(open.transports[0]?.availability).toMatchObject({
    reason: expect.stringMatching(/cannot hang up or transfer them\. Anyone can pretend to be Twilio\./),
    fix: "Start with --tunnel, or with --public-url\u00a0<https\u00a0URL>. Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
  });
  await open.close();
});

test("each of two ways to solve a problem is named when neither is needed for another problem", async () => {
  const local = createRunner({ ...setUp(), host: "127.0.0.1", pluginOptions: { twilio: {} } });
  await local.listen();
  expect(local.transports[0]?.availability).toMatchObject({
    fix: expect.stringMatching(
      / Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN\. Or set TWILIO_API_KEY and TWILIO_API_SECRET\.$/,
    ),
  });
  await local.close();
});
