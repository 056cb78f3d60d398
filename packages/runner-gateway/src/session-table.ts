import type { CloseReason } from "@pipecat-ts/runner-core";
import { createSessionHistory, type EndedSession } from "@pipecat-ts/runner-host";
import type { KeyClaims } from "./fleet.ts";
import type { FromWorker, SessionMessage } from "./messages.ts";
import { ownerOf } from "./owner-id.ts";

/** What a worker reports about a session. */
export type SessionReport = Extract<FromWorker, { kind: "session" | "alias" | "remembered" }>;

/** A session of a worker. */
export interface LiveSession {
  readonly id: string;
  readonly worker: number;
  transport: string;
  state: SessionMessage["state"];
  readonly rings: boolean;
  readonly startedAt: Date;
  /** On the clock of `performance.now()`. */
  readonly createdMs: number;
  readonly keys: Set<string>;
  /** What its plugin needs if its worker crashes. */
  crash?: { readonly plugin: string; readonly record: object };
}

/**
 * The live sessions of all workers, as the workers report them. It routes requests with an id that the caller chose or with an alias,
 * such as a vendor's call id: ids of the runner name their worker themselves. It also tells which sessions a crash ended.
 */
export interface SessionTable {
  /** Applies a report. Returns true for a session that is new. */
  apply(worker: number, message: SessionReport): boolean;
  /** The worker that an id of the runner names; the text may also begin with one, like a token. */
  ownerOf(text: string): number | undefined;
  /** How the session with this id ended, also when its worker has; `undefined` for a live or unknown one. */
  findEnded(id: string): EndedSession | undefined;
  /** The worker of the session with this id, which its caller may have chosen. */
  findId(id: string): number | undefined;
  /** The worker of the session with this alias. */
  findAlias(key: string): number | undefined;
  /** How many sessions a worker has. */
  count(worker: number): number;
  /** The oldest session that has waited longer than `ms` for its caller, except those whose caller's phone rings. */
  oldestPending(ms: number): LiveSession | undefined;
  /** Forgets the sessions of a worker, and returns them. */
  remove(worker: number): readonly LiveSession[];
  /** Describes all sessions, like `GET /sessions` of a runner. Times are in ISO 8601 or ms. */
  list(): readonly object[];
  /** Sessions by state. */
  readonly counts: { readonly pending: number; readonly active: number };
}

/** `claims` is told the keys of sessions that do not name their node. */
export function createSessionTable(node: string, claims?: KeyClaims): SessionTable {
  /** Oldest first, by worker and id: callers of two workers may have chosen the same id at the same time. */
  const sessions = new Map<string, LiveSession>();
  /** The latest session of each id, and of each alias. */
  const ids = new Map<string, LiveSession>();
  const keys = new Map<string, LiveSession>();
  /** The same by the alias without the prefix that transports put in front of ids that are not verified. Requests have the id alone. */
  const bareKeys = new Map<string, LiveSession>();
  const perWorker = new Map<number, number>();
  const history = createSessionHistory();

  function countFor(worker: number, change: number): void {
    const count = (perWorker.get(worker) ?? 0) + change;
    if (count > 0) perWorker.set(worker, count);
    else perWorker.delete(worker);
  }

  function forget(session: LiveSession): void {
    const { id, worker } = session;
    sessions.delete(nameOf(worker, id));
    if (removeFrom(ids, id, session) && !ownerOf(id)) claims?.release(`id:${id}`);
    for (const key of session.keys) {
      if (removeFrom(keys, key, session)) claims?.release(`alias:${key}`);
      removeFrom(bareKeys, bareOf(key), session);
    }
    countFor(worker, -1);
  }

  function remember({ id, transport, startedAt, createdMs }: LiveSession, reason: CloseReason): void {
    history.add({ id, transport, startedAt, durationMs: Math.round(performance.now() - createdMs), reason });
  }

  function addKey(session: LiveSession, key: string): void {
    session.keys.add(key);
    keys.set(key, session);
    bareKeys.set(bareOf(key), session);
    // Not the bare id: a stranger who sends an unverified one could draw callers of the whole fleet to this node.
    if (!ownerOf(key)) claims?.claim(`alias:${key}`);
  }

  return {
    apply(worker, message) {
      const known = sessions.get(nameOf(worker, message.id));
      if (message.kind === "alias") {
        if (known) addKey(known, message.key);
        return false;
      }
      if (message.kind === "remembered") {
        const { plugin, record } = message;
        if (known) known.crash = { plugin, record };
        return false;
      }
      const { id, transport, state, rings = false, reason } = message;
      if (state === "ended") {
        if (known) forget(known);
        if (known && reason !== undefined) remember(known, reason);
        return false;
      }
      if (known) {
        Object.assign(known, { transport, state });
        return false;
      }
      const createdMs = performance.now();
      const session = {
        id,
        worker,
        transport,
        state,
        rings,
        startedAt: new Date(),
        createdMs,
        keys: new Set<string>(),
      };
      sessions.set(nameOf(worker, id), session);
      ids.set(id, session);
      countFor(worker, 1);
      if (!ownerOf(id)) claims?.claim(`id:${id}`);
      return true;
    },
    ownerOf(text) {
      const owner = ownerOf(text);
      return owner?.node === node ? owner.worker : undefined;
    },
    findEnded: (id) => (ids.has(id) ? undefined : history.find(id)),
    findId: (id) => ids.get(id)?.worker,
    findAlias: (key) => (keys.get(key) ?? bareKeys.get(key))?.worker,
    count: (worker) => perWorker.get(worker) ?? 0,
    oldestPending(ms) {
      const latest = performance.now() - ms;
      for (const session of sessions.values()) {
        if (session.createdMs > latest) return undefined;
        if (session.state === "pending" && !session.rings) return session;
      }
      return undefined;
    },
    remove(worker) {
      const removed = [...sessions.values()].filter((session) => session.worker === worker);
      for (const session of removed) {
        forget(session);
        remember(session, "crashed");
      }
      return removed;
    },
    list() {
      const nowMs = performance.now();
      return [...sessions.values()].map(({ id, transport, state, startedAt, createdMs }) => {
        const durationMs = Math.round(nowMs - createdMs);
        return { sessionId: id, transport, state, startedAt: startedAt.toISOString(), durationMs };
      });
    },
    get counts() {
      const pending = [...sessions.values()].filter(({ state }) => state === "pending").length;
      return { pending, active: sessions.size - pending };
    },
  };
}

function nameOf(worker: number, id: string): string {
  return `${worker} ${id}`;
}

function bareOf(key: string): string {
  return key.slice(key.lastIndexOf(":") + 1);
}

/** Removes the key, unless another session has taken it over. Returns whether it was this session's. */
function removeFrom(sessions: Map<string, LiveSession>, key: string, session: LiveSession): boolean {
  return sessions.get(key) === session && sessions.delete(key);
}
