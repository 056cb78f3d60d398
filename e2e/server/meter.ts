import { subscribe } from "node:diagnostics_channel";
import type { Server } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { contractVersion, type RunnerArguments, type TransportPlugin } from "@pipecat-ts/runner-core";
import { countResources } from "@pipecat-ts/runner-testing";
import type {} from "@pipecat-ts/runner-webrtc";
import type { WebSocketRunnerArguments } from "@pipecat-ts/runner-websocket";
import { loadOpus, type Opus } from "../../packages/runner-webrtc/src/voice/opus.ts";
import type { Holdings } from "./messages.ts";

/** Measures this process, which must run with `--expose-gc`. Create it before any server listens. */
export interface Meter {
  /** Reads what the transports of its runner share. Add it to the runner's plugins. */
  readonly plugin: TransportPlugin;
  /** Tracks this session's objects until they are collected. */
  watch(args: RunnerArguments): void;
  measure(): Promise<Holdings>;
}

export function createMeter(): Meter {
  const servers = new Set<Server>();
  subscribe("tracing:net.server.listen:asyncStart", (message) => {
    servers.add((message as { readonly server: Server }).server);
  });
  let watched: { readonly signal: WeakRef<AbortSignal>; readonly wire: WeakRef<object> }[] = [];
  let opus: Opus | undefined;

  return {
    plugin: {
      apiVersion: contractVersion,
      name: "meter",
      async open(runner) {
        opus = await runner.shared("opus", loadOpus);
        return {};
      },
      advanced: { alwaysOpen: true },
    },
    watch(args) {
      watched.push({ signal: new WeakRef(args.signal), wire: new WeakRef(wireOf(args)) });
    },
    async measure() {
      // Objects that finalizers and weak references release here are collected by `countResources`.
      globalThis.gc?.();
      await turn();
      const { handles, ...resources } = countResources();
      // After a scrape of /metrics, prom-client observes garbage collections, such as those above, with an immediate.
      const { Immediate: _observer, ...otherHandles } = handles;
      watched = watched.filter(({ signal, wire }) => signal.deref() ?? wire.deref());
      const wires = watched.flatMap(
        ({ wire }) => (wire.deref() ?? []) as Partial<WebSocketRunnerArguments["websocket"]>,
      );
      const { encoders = 0, decoders = 0 } = opus?.live ?? {};
      const { heapUsed, external, rss } = process.memoryUsage();
      return {
        ...resources,
        handles: otherHandles,
        serverListeners: Object.fromEntries([...servers].flatMap(listenersOf)),
        retained: watched.filter(({ signal }) => signal.deref()?.aborted !== false).length,
        codecs: encoders + decoders,
        mostBufferedBytes: Math.max(0, ...wires.map(({ bufferedAmount }) => bufferedAmount ?? 0)),
        rssBytes: rss,
        heapBytes: heapUsed,
        liveBytes: heapUsed + external,
      };
    },
  };
}

/** The object that carries a caller's audio; for a phone, the call's data. */
function wireOf(args: RunnerArguments): object {
  if (args.transport === "webrtc") return args.webrtcConnection;
  return args.transport === "websocket" ? args.websocket : (args.callData ?? args);
}

function listenersOf(server: Server, index: number): [string, number][] {
  return server.eventNames().map((event) => [`server ${index} on ${String(event)}`, server.listenerCount(event)]);
}
