import { afterAll } from "vitest";
import { describeTransport } from "../../runner-testing/src/describe-transport.ts";
import { createTelephonyPlugin } from "./plugin.ts";
import { createAcme, createAcmePhone } from "./test/acme.ts";

const phone = createAcmePhone("acme", "a key that must never be printed");
const api = await phone.openApi();
afterAll(async () => await api.close());
const numbers = { from: "+15550100", to: "+15550199" };

// A third-party carrier, with another carrier on the same socket path.
describeTransport({
  plugin: createTelephonyPlugin(createAcme()),
  companions: [{ plugin: createTelephonyPlugin(createAcme("bell")) }],
  entry: import.meta.resolve("@pipecat-ts/runner-telephony"),
  options: { key: "a key that must never be printed", apiUrl: api.url },
  walkIn: "verified",
  messages: false,
  clears: true,
  privateTexts: Object.values(numbers),
  connect: ({ url, start }) =>
    phone.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});
