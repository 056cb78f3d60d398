import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { createFakeExotel } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { apiKey: "a key that must never be printed", apiToken: "a token that must never be printed" };
const exotel = createFakeExotel(account);
const numbers = { from: "+15550100", to: "+15550199" };

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-telephony-exotel"),
  options: account,
  walkIn: "verified",
  messages: false,
  clears: true,
  levelToleranceDb: 1,
  privateTexts: Object.values(numbers),
  connect: ({ url, start }) =>
    exotel.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});
