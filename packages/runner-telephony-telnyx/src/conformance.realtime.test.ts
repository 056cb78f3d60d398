import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createFakeTelnyx, createTelnyxAccount } from "./caller.ts";
import plugin from "./plugin.ts";

const account = createTelnyxAccount("a key that must never be printed");
const telnyx = createFakeTelnyx(account);
const api = await telnyx.openApi();
afterAll(async () => await api.close());
const numbers = { from: "+15550100", to: "+15550199" };

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-telephony-telnyx"),
  options: { apiKey: account.apiKey, publicKey: account.publicKey, apiUrl: api.url },
  walkIn: "verified",
  messages: false,
  clears: true,
  levelToleranceDb: 1.5,
  privateTexts: Object.values(numbers),
  connect: ({ url, start }) =>
    telnyx.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});
