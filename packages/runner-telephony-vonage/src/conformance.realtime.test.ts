import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createFakeVonage, createVonageAccount } from "./caller.ts";
import plugin from "./plugin.ts";

const account = createVonageAccount("a secret that must never be printed");
const vonage = createFakeVonage(account);
const api = await vonage.openApi();
afterAll(async () => await api.close());
const numbers = { from: "+15550100", to: "+15550199" };

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-telephony-vonage"),
  options: { ...account, apiUrl: api.url },
  walkIn: "verified",
  messages: false,
  clears: true,
  levelToleranceDb: 1,
  privateTexts: Object.values(numbers).map((number) => number.slice(1)),
  connect: ({ url, start }) =>
    vonage.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});
