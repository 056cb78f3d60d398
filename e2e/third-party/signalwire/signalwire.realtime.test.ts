import { globSync, readFileSync } from "node:fs";
import { createTransport, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import type { FakeApi, FakeCarrier, PhoneCall } from "@pipecat-ts/runner-telephony/caller";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import twilioPlugin from "@pipecat-ts/runner-telephony-twilio/plugin";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFakeSignalWire } from "./caller.ts";
import type {} from "./index.ts";
import plugin from "./plugin.ts";

// A carrier that is compatible with Twilio, as a package of its own, in one runner with Twilio.

const publicUrl = new URL("https://voice.example.com");
const account = { projectId: "0f3c1b1e-0000-4000-8000-000000000000", apiToken: "a token", signingKey: "a signing key" };
const twilioAccount = { accountSid: `AC${"0".repeat(32)}`, authToken: "Twilio's token" };
const signalWire = createFakeSignalWire(account);
const twilio = createFakeTwilio(twilioAccount);
let apis: Record<"signalwire" | "twilio", FakeApi>;
let runner: Runner;
let bots: SessionArguments[] = [];

beforeAll(async () => {
  apis = { signalwire: await signalWire.openApi(), twilio: await twilio.openApi() };
  runner = createRunner({
    async bot(args) {
      bots.push(args);
      const phone = () => ({});
      await createTransport(args, { signalwire: phone, twilio: phone });
    },
    // Twilio comes first, and its start message is the same.
    plugins: [twilioPlugin, plugin],
    pluginOptions: {
      twilio: { ...twilioAccount, apiUrl: apis.twilio.url },
      signalwire: { ...account, spaceUrl: apis.signalwire.url },
    },
    publicUrl,
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  await runner.listen();
});
afterAll(async () => {
  await runner.close();
  await Promise.all(Object.values(apis).map((api) => api.close()));
});

/** A call whose bot returns at once. Resolves when the runner has hung up. */
async function call(carrier: FakeCarrier, more: object = {}): Promise<PhoneCall> {
  const phone = await carrier.call({ at: runner.url, publicUrl, ...more });
  await phone.closed;
  return phone;
}

test("each carrier gets its own calls, and its API hangs them up", async () => {
  bots = [];
  const calls = await Promise.all([call(twilio), call(signalWire), call(signalWire), call(twilio)]);
  const transports = calls.map(({ callId }) => bots.find(({ callData }) => callData?.callId === callId)?.transport);
  expect(transports).toEqual(["twilio", "signalwire", "signalwire", "twilio"]);
  const paths = (name: keyof typeof apis) => apis[name].requests.map(({ path }) => path).sort();
  const path = (sid: string, callId = "") => `/2010-04-01/Accounts/${sid}/Calls/${callId}.json`;
  const ids = calls.map(({ callId }) => callId);
  expect(paths("twilio")).toEqual([ids[0], ids[3]].map((id) => path(twilioAccount.accountSid, id)).sort());
  expect(paths("signalwire")).toEqual([ids[1], ids[2]].map((id) => `/api/laml${path(account.projectId, id)}`).sort());
  expect(calls.flatMap(({ protocolErrors }) => protocolErrors)).toEqual([]);
});

test("a webhook is accepted with the signature of its own carrier only", async () => {
  const forged = { ...account, signingKey: twilioAccount.authToken };
  await expect(call(createFakeSignalWire(forged))).rejects.toThrow("403");
  await expect(call(twilio, { path: "/signalwire" })).rejects.toThrow("403");
  await expect(call(signalWire, { path: "/twilio" })).rejects.toThrow("403");
});

test("the carrier has at most 120 lines", () => {
  const files = globSync("*.ts", { cwd: import.meta.dirname }).filter((file) => !file.endsWith(".test.ts"));
  const texts = files.map((file) => readFileSync(`${import.meta.dirname}/${file}`, "utf8"));
  expect(texts.join("").trimEnd().split("\n").length).toBeLessThanOrEqual(120);
});

describe("the conformance suite", async () => {
  const api = await signalWire.openApi();
  afterAll(() => api.close());
  const numbers = { from: "+15550100", to: "+15550199" };
  describeTransport({
    plugin,
    companions: [{ plugin: twilioPlugin }],
    entry: import.meta.resolve("./index.ts"),
    options: { ...account, spaceUrl: api.url },
    walkIn: "verified",
    messages: false,
    clears: true,
    levelToleranceDb: 1.5,
    privateTexts: Object.values(numbers),
    runner: { publicUrl },
    connect: ({ url, start }) =>
      signalWire.call({ at: url, publicUrl, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
  });
});
