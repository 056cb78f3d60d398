import type { TransportAdapter } from "../../adapter.ts";
import { callByPhone, type FarDialect, farAcme, farBell } from "./caller.ts";
import { acme, bell, type Dialect } from "./dialect.ts";
import { createPhonePlugin } from "./plugin.ts";

const far = new Map<Dialect, FarDialect>([
  [acme, farAcme],
  [bell, farBell],
]);
const numbers = { from: "+15550100", to: "+15550199" };

/** How the suite tries one carrier; the other one shares its runner. */
export function createPhoneAdapter(dialect: Dialect): TransportAdapter {
  const others = [...far.keys()].filter((other) => other !== dialect);
  return {
    plugin: createPhonePlugin(dialect),
    companions: others.map((other) => ({ plugin: createPhonePlugin(other), options: { token: tokenOf(other) } })),
    entry: import.meta.resolve("./plugin.ts"),
    options: { token: tokenOf(dialect) },
    walkIn: true,
    messages: false,
    clears: true,
    lossNoticedMs: 500,
    privateTexts: Object.values(numbers),
    connect: (invitation) => callByPhone(far.get(dialect) ?? farAcme, tokenOf(dialect), invitation, numbers),
  };
}

/** What a carrier and its plugin both know. */
export function tokenOf({ name }: Dialect): string {
  return `the token of ${name}`;
}
