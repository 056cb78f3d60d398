import { subscribe } from "node:diagnostics_channel";
import type { Server } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { countResources } from "@pipecat-ts/runner-testing";
import type { WebSocketRunnerArguments } from "@pipecat-ts/runner-websocket";
import type { Holdings } from "./questions.ts";

/** Measures this process, which must run with `--expose-gc`. Make it before any server listens. */
export interface Meter {
  /** Counts this session's objects until they are collected. */
  watch(args: WebSocketRunnerArguments): void;
  takeStock(): Promise<Holdings>;
}

export function createMeter(): Meter {
  const servers = new Set<Server>();
  subscribe("tracing:net.server.listen:asyncStart", (message) => {
    servers.add((message as { readonly server: Server }).server);
  });
  let watched: {
    readonly signal: WeakRef<AbortSignal>;
    readonly socket: WeakRef<WebSocketRunnerArguments["websocket"]>;
  }[] = [];

  return {
    watch(args) {
      if (args.transport !== "websocket") return;
      watched.push({ signal: new WeakRef(args.signal), socket: new WeakRef(args.websocket) });
    },
    async takeStock() {
      // What finalisers and weak references let go of is collected the next time: by `countResources`.
      globalThis.gc?.();
      await turn();
      const resources = countResources();
      watched = watched.filter(({ signal, socket }) => signal.deref() ?? socket.deref());
      const sockets = watched.flatMap(({ socket }) => socket.deref() ?? []);
      const { heapUsed, external } = process.memoryUsage();
      return {
        ...resources,
        serverListeners: Object.fromEntries([...servers].flatMap(listenersOf)),
        retained: watched.filter(({ signal }) => signal.deref()?.aborted !== false).length,
        mostWaitingBytes: Math.max(0, ...sockets.map(({ bufferedAmount }) => bufferedAmount)),
        heapBytes: heapUsed,
        liveBytes: heapUsed + external,
      };
    },
  };
}

function listenersOf(server: Server, index: number): [string, number][] {
  return server.eventNames().map((event) => [`server ${index} on ${String(event)}`, server.listenerCount(event)]);
}
