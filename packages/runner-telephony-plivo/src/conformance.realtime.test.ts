import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createFakePlivo } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { authId: "MA0123", authToken: "a token that must never be printed" };
const plivo = createFakePlivo(account, "GET");
const api = await plivo.openApi();
afterAll(async () => await api.close());
const numbers = { from: "+15550100", to: "+15550199" };

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-telephony-plivo"),
  options: { ...account, apiUrl: api.url },
  walkIn: "verified",
  messages: false,
  clears: true,
  levelToleranceDb: 1.5,
  privateTexts: Object.values(numbers),
  connect: ({ url, start }) =>
    plivo.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});
