import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createFakeTwilio } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { accountSid: "AC0123", authToken: "a token that must never be printed" };
const numbers = { from: "+15550100", to: "+15550199" };
const twilio = createFakeTwilio(account);
const api = await twilio.openApi();
afterAll(async () => await api.close());

const adapter = {
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-telephony-twilio"),
  options: { ...account, apiUrl: api.url },
  messages: false,
  clears: true,
  levelToleranceDb: 1.5,
  privateTexts: Object.values(numbers),
};

describeTransport({
  ...adapter,
  walkIn: "verified",
  connect: ({ url, start }) =>
    twilio.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});
