import { createHook } from "node:async_hooks";
import { type OptionTable, resolveOptions } from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../adapter.ts";
import type { Requirement } from "../requirement.ts";
import { countResources, resourceGrowth } from "../resources.ts";
import type { Stage } from "../stage.ts";
import { expect, expectSame } from "../unmet.ts";

const withCheck = ({ plugin }: TransportAdapter) => (plugin.check ? undefined : "it has no check");

/** What a transport says of itself before it is opened. */
export const checking: readonly Requirement[] = [
  {
    id: "CHECK-1",
    title: "`check` opens nothing",
    reason: "It runs for every installed transport at every start and for --help, also for those that nobody uses.",
    alone: true,
    exempts: withCheck,
    async check(stage) {
      const before = countResources();
      const opened = new Set<string>();
      const hook = createHook({ init: (_, type) => openings.test(type) && opened.add(type) }).enable();
      try {
        await look(stage, stage.adapter.options ?? {});
      } finally {
        hook.disable();
      }
      expect(opened.size === 0, `check opened ${[...opened].join(", ")}`);
      const growth = resourceGrowth(before, countResources());
      expect(growth.length === 0, `check left behind ${growth.join(", ")}`);
    },
  },
  {
    id: "CHECK-2",
    title: "`check` answers with and without options, and says the fix where something is wanting",
    reason: "The banner shows what it says; without a fix in it the user is left to guess.",
    exempts: withCheck,
    async check(stage) {
      const given = await look(stage, stage.adapter.options ?? {});
      expect(given.state !== "unavailable", `with the adapter's options it is ${JSON.stringify(given)}`);
      const bare = await look(stage, {});
      if (bare.state === "ready") expectSame("what check answers", bare, { state: "ready" });
      else
        expect(bare.reason.trim() !== "" && bare.fix.trim() !== "", `no reason or no fix in ${JSON.stringify(bare)}`);
    },
  },
];

const openings = /^(TCP|UDP|PIPE|TLS|PROCESS|WORKER|HTTP|GETADDRINFO|STATWATCHER|FSEVENTWRAP|SIGNALWRAP|Timeout)/;

async function look({ adapter }: Stage, given: Readonly<Record<string, unknown>>) {
  const table = (adapter.plugin.options ?? {}) as OptionTable<Record<string, unknown>>;
  const options = resolveOptions(table, { given, env: {} });
  const availability = await adapter.plugin.check?.(options, {
    host: "127.0.0.1",
    port: 0,
    trustProxy: false,
    callersMustProve: false,
    maxSessions: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 0,
    cliArgs: {},
  });
  return availability ?? { state: "ready" as const };
}
