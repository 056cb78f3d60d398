import { RunnerError } from "@pipecat-ts/runner-core";

/**
 * Limits the callers that have an answer and are not connected yet. Each runs a bot and holds sockets until it connects or
 * 30 s have passed, and an offer costs its sender nothing.
 */
export interface ConnectingCallers {
  /**
   * Counts a caller of this client until the returned function is called. Throws AT_CAPACITY (503, so that Pipecat's clients try
   * again) when too many are connecting.
   */
  enter(client: string): () => void;
}

/** Callers that may be connecting at the same time: 30 and 20 with 40 sessions. */
export function connectingLimits(maxSessions: number): { readonly total: number; readonly perClient: number } {
  if (!Number.isFinite(maxSessions)) return { total: 1_000, perClient: 250 };
  return { total: Math.max(16, Math.ceil(0.75 * maxSessions)), perClient: Math.max(8, Math.ceil(0.5 * maxSessions)) };
}

export function createConnectingCallers(maxSessions: number): ConnectingCallers {
  const { total, perClient } = connectingLimits(maxSessions);
  const clients = new Map<string, number>();
  let connecting = 0;

  function add(client: string, change: number): void {
    connecting += change;
    const count = (clients.get(client) ?? 0) + change;
    if (count === 0) clients.delete(client);
    else clients.set(client, count);
  }

  return {
    enter(client) {
      if ((clients.get(client) ?? 0) >= perClient) throw tooMany(`${perClient} callers of this address`);
      if (connecting >= total) throw tooMany(`${total} callers`);
      add(client, 1);
      let left = false;
      return () => {
        if (!left) add(client, -1);
        left = true;
      };
    },
  };
}

function tooMany(callers: string): RunnerError {
  return new RunnerError("AT_CAPACITY", `${callers} are connecting over WebRTC.`, {
    status: 503,
    fix: "Try again in a few seconds. A caller that does not connect is dropped after 30 s.",
  });
}
