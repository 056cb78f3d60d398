import {
  type Bot,
  type CloseReason,
  type Logger,
  type NewSession,
  RunnerError,
  type RunnerSettings,
  type Session,
} from "@pipecat-ts/runner-core";
import { memoryOf } from "./body-size.ts";
import { settledWithin } from "./deadline.ts";
import type { SessionMetrics } from "./metrics.ts";
import type { Sessions } from "./runner.ts";
import { createSession, type HostSession } from "./session.ts";
import type { SessionScope } from "./session-scope.ts";

/** What the bodies of all pending sessions may take, in bytes. */
export const pendingBodiesBytes: number = 32 * 1024 * 1024;

/** The sessions of one runner, as its own parts use them. */
export interface SessionRegistry extends Sessions {
  [Symbol.iterator](): Iterator<HostSession>;
  /** Whether it takes no new callers for good. */
  readonly draining: boolean;
  /** A pending session; pushes out the oldest pending ones where they are too many or too large. Throws AT_CAPACITY or DRAINING. */
  create(begun: NewSession, logger: Logger, transport: string): Session;
  /** The live session with this id; aliases do not count. */
  get(id: string): HostSession | undefined;
  /** Throws AT_CAPACITY or DRAINING when no caller would be taken now. */
  refuseWhenFull(): void;
  /** The same for the caller of the session of this id; not for one who is there. */
  refuseCallerOf(id: string): void;
  /** Takes no new callers from now on and ends those that have not come yet; resolves when the last live session has ended. */
  drain(): Promise<void>;
  /** Ends all of them, and within `ms` gives up those that still run. */
  shutDown(ms: number): Promise<void>;
}

export interface SessionRegistryOptions {
  readonly bot: Bot;
  /** What bots get as `args.body` when their callers bring none. */
  readonly defaultBody: unknown;
  readonly settings: RunnerSettings;
  readonly scope: SessionScope;
  readonly metrics: SessionMetrics;
  /** Whether bots handle SIGINT and SIGTERM themselves: asked for each session. */
  handlesSignals(): boolean;
}

export function createSessionRegistry(options: SessionRegistryOptions): SessionRegistry {
  const { bot, defaultBody, settings, scope, metrics } = options;
  const { maxSessions, cliArgs } = settings;
  const maxPending = Number.isFinite(maxSessions) ? 4 * maxSessions : 1_000;
  /** Every session that is not released yet, by id. */
  const live = new Map<string, HostSession>();
  /** Those that wait for their caller, the oldest first, with what their bodies take. */
  const pending = new Map<Session, number>();
  let pendingBytes = 0;
  /** Those of them who hold a place already. */
  const placed = new Set<Session>();
  const active = new Set<Session>();
  const aliases = new Map<string, HostSession>();
  let draining = false;

  function get(id: string): HostSession | undefined {
    const session = live.get(id);
    return session?.state === "ended" ? undefined : session;
  }

  function refuseWhenFull(): void {
    if (draining) {
      throw new RunnerError("DRAINING", "This server is shutting down and takes no new callers.", {
        fix: "Try again in a moment: another one may answer.",
      });
    }
    if (active.size + placed.size < maxSessions) return;
    throw new RunnerError("AT_CAPACITY", `All ${maxSessions} places are taken.`, { fix: "Try again in a moment." });
  }

  function waitsNoMore(session: Session): void {
    pendingBytes -= pending.get(session) ?? 0;
    pending.delete(session);
    placed.delete(session);
  }

  /** Makes room for the newest, which stays whatever its size. */
  function evictFor(newest: Session): void {
    for (const oldest of pending.keys()) {
      if (oldest === newest || (pending.size <= maxPending && pendingBytes <= pendingBodiesBytes)) return;
      void oldest.end("evicted");
    }
  }

  async function endAll(reason: CloseReason): Promise<void> {
    await Promise.all([...live.values()].map((session) => session.end(reason)));
  }

  return {
    get counts() {
      return { pending: pending.size, active: active.size };
    },
    get draining() {
      return draining;
    },
    [Symbol.iterator]: () => live.values(),
    current: scope.current,
    find: (idOrAlias) => get(idOrAlias) ?? aliases.get(idOrAlias),
    get,
    refuseWhenFull,
    refuseCallerOf(id) {
      const session = get(id);
      const mayBeRefused = session ? session.state === "pending" && !placed.has(session) : draining;
      if (mayBeRefused) refuseWhenFull();
    },
    endAll,
    create({ body, holdsPlace }, logger, transport) {
      refuseWhenFull();
      const session = createSession({
        bot,
        body,
        defaultBody,
        transport,
        logger,
        scope,
        metrics,
        cliArgs,
        handlesSignals: options.handlesSignals(),
        admit(admitted) {
          if (!placed.has(admitted)) refuseWhenFull();
          waitsNoMore(admitted);
          active.add(admitted);
        },
        alias(of, key) {
          if (aliases.has(key) || live.has(key)) {
            throw new RunnerError("SESSION_ALIAS_TAKEN", `Another session goes by "${key}" already.`, {
              fix: "End that session first, or use a key that tells the two apart.",
            });
          }
          const found = get(of.id);
          if (found) aliases.set(key, found);
        },
        onEnding(over) {
          waitsNoMore(over);
          for (const [key, of] of aliases) if (of === over) aliases.delete(key);
        },
        onEnded(over) {
          active.delete(over);
          live.delete(over.id);
        },
      });
      live.set(session.id, session);
      const bytes = memoryOf(body, pendingBodiesBytes);
      pending.set(session, bytes);
      pendingBytes += bytes;
      if (holdsPlace) placed.add(session);
      evictFor(session);
      return session;
    },
    async drain() {
      draining = true;
      for (const session of pending.keys()) void session.end("shutdown");
      await Promise.all([...live.values()].map((session) => session.ended));
    },
    async shutDown(ms) {
      draining = true;
      if (await settledWithin(ms, endAll("shutdown"))) return;
      for (const session of live.values()) session.giveUp();
      await settledWithin(ms / 2, Promise.all([...live.values()].map((session) => session.ended)));
    },
  };
}
