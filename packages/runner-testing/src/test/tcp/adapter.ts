import type { TransportAdapter } from "../../adapter.ts";
import { callByTcp } from "./caller.ts";
import { createTcpPlugin, type Spoiler } from "./plugin.ts";

/** How the suite tries the toy over TCP. */
export function createTcpAdapter(spoiler: Spoiler = {}): TransportAdapter {
  return {
    plugin: createTcpPlugin(spoiler),
    entry: import.meta.resolve("./plugin.ts"),
    options: { key: "a key that nobody may see" },
    start: { greeting: "hello" },
    badStarts: [{ greeting: 7 }],
    clears: true,
    lossNoticedMs: 500,
    connect: callByTcp,
  };
}
