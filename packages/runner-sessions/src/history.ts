import type { CloseReason } from "@pipecat-ts/runner-core";

/** How long an ended session is remembered, in ms. */
const rememberedMs = 10 * 60_000;
/** How many are: the newest ones. Each takes about 300 bytes. */
const maxRemembered = 1_000;

/** A session that has ended. */
export interface EndedSession {
  readonly id: string;
  readonly transport: string;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly reason: CloseReason;
}

/** How sessions ended, for 10 minutes and for the last 1,000 sessions. */
export interface SessionHistory {
  add(session: EndedSession): void;
  find(id: string): EndedSession | undefined;
}

/** An empty history. It removes old sessions when it is used. */
export function createSessionHistory(): SessionHistory {
  /** Oldest first. */
  const sessions = new Map<string, { readonly session: EndedSession; readonly endedMs: number }>();

  function removeOld(): void {
    const earliestMs = performance.now() - rememberedMs;
    for (const [id, { endedMs }] of sessions) {
      if (endedMs > earliestMs && sessions.size <= maxRemembered) return;
      sessions.delete(id);
    }
  }

  return {
    add(session) {
      // A caller may have chosen the id of an earlier session.
      sessions.delete(session.id);
      sessions.set(session.id, { session, endedMs: performance.now() });
      removeOld();
    },
    find(id) {
      removeOld();
      return sessions.get(id)?.session;
    },
  };
}
