import { subscribe } from "node:diagnostics_channel";
import type { Server } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { RunnerArguments, TransportPlugin } from "@pipecat-ts/runner-core";
import { countResources } from "@pipecat-ts/runner-testing";
import type {} from "@pipecat-ts/runner-webrtc";
import type { WebSocketRunnerArguments } from "@pipecat-ts/runner-websocket";
import { loadOpus, type Opus } from "../../packages/runner-webrtc/src/voice/opus.ts";
import type { Holdings } from "./questions.ts";

/** Measures this process, which must run with `--expose-gc`. Make it before any server listens. */
export interface Meter {
  /** Sees what the transports of its runner share. Give it to the runner as well. */
  readonly plugin: TransportPlugin;
  /** Counts this session's objects until they are collected. */
  watch(args: RunnerArguments): void;
  takeStock(): Promise<Holdings>;
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
      name: "meter",
      selectable: false,
      async open(runner) {
        opus = await runner.shared("opus", loadOpus);
        return { close: async () => undefined };
      },
    },
    watch(args) {
      const wire = wireOf(args);
      watched.push({ signal: new WeakRef(args.signal), wire: new WeakRef(wire) });
    },
    async takeStock() {
      // What finalisers and weak references let go of is collected the next time: by `countResources`.
      globalThis.gc?.();
      await turn();
      const resources = countResources();
      watched = watched.filter(({ signal, wire }) => signal.deref() ?? wire.deref());
      const wires = watched.flatMap(
        ({ wire }) => (wire.deref() ?? []) as Partial<WebSocketRunnerArguments["websocket"]>,
      );
      const { encoders = 0, decoders = 0 } = opus?.live ?? {};
      const { heapUsed, external, rss } = process.memoryUsage();
      return {
        ...resources,
        serverListeners: Object.fromEntries([...servers].flatMap(listenersOf)),
        retained: watched.filter(({ signal }) => signal.deref()?.aborted !== false).length,
        codecs: encoders + decoders,
        mostWaitingBytes: Math.max(0, ...wires.map(({ bufferedAmount }) => bufferedAmount ?? 0)),
        rssBytes: rss,
        heapBytes: heapUsed,
        liveBytes: heapUsed + external,
      };
    },
  };
}

/** What a caller's bytes come over, or what is known of a phone's. */
function wireOf(args: RunnerArguments): object {
  if (args.transport === "webrtc") return args.webrtcConnection;
  return args.transport === "websocket" ? args.websocket : (args.callData ?? args);
}

function listenersOf(server: Server, index: number): [string, number][] {
  return server.eventNames().map((event) => [`server ${index} on ${String(event)}`, server.listenerCount(event)]);
}
