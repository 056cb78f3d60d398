import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import {
  type Bot,
  type Clock,
  type CloseReason,
  type FileStorage,
  type Logger,
  type RunnerContext,
  RunnerError,
  type Transport,
  withTimeout,
} from "@pipecat-ts/runner-core";
import { createPacer, estimateBytes, type MeasuredPacer } from "@pipecat-ts/runner-media";
import type { ReportFailure } from "./failure-report.ts";
import { createSessionHistory, type EndedSession } from "./history.ts";
import { createSession, type HostSession, type SessionOwner } from "./session.ts";
import { createWatchdog } from "./watchdog.ts";

/** Memory of the bodies of all pending sessions, in bytes. */
const maxPendingBytes = 32 * 1024 * 1024;
/** Pending sessions without a limit on active ones. */
const defaultMaxPending = 1_000;

export interface SessionEngineOptions {
  readonly bot: Bot;
  /** `args.body` for callers that send none. */
  readonly defaultBody?: unknown;
  /** How many sessions may be active at once; `Infinity` without a limit. */
  readonly maxSessions: number;
  /** How long a call may last, in ms; `Infinity` without a limit. */
  readonly maxCallDurationMs: number;
  readonly cliArgs: Readonly<Record<string, unknown>>;
  /** Returns `args.fileStorage` of a session. */
  fileStorageOf?(session: HostSession): FileStorage;
  /** Creates the ids of sessions whose caller did not choose one. Default: random UUIDs. */
  readonly sessionIds?: (() => string) | undefined;
  /**
   * Pending sessions count toward `maxSessions` too, so that each can become active, and none is evicted. Default false: only those
   * created with `reserve` count.
   */
  readonly pendingTakesPlace?: boolean | undefined;
  /** The time source of the media layer. Default: the machine's. */
  readonly clock?: Clock | undefined;
  readonly observer?: SessionObserver | undefined;
  /** Whether bots handle SIGINT and SIGTERM themselves. Read for each session. */
  handlesSignals(): boolean;
  /** A bot's transport is built. Returns what to do when its session ends. */
  onTransport?(session: HostSession, transport: Transport): () => void;
  /** Tells the caller why the bot failed, before the session ends. Has at most 3.5 s. Default: callers are not told. */
  readonly reportFailure?: ReportFailure | undefined;
  onEnded?(session: HostSession, reason: CloseReason): void;
  /** Code held the event loop for `durationMs`, at least 200 ms. */
  onBlocked?(durationMs: number): void;
}

/** Learns about the sessions of one runner. Must not throw. */
export interface SessionObserver {
  /** The session was created (`pending`), its bot starts (`active`), or everything is released (`ended`, with its reason). */
  changed?(
    session: Pick<HostSession, "id" | "owner" | "transport" | "state" | "rings" | "callData" | "body">,
    reason?: CloseReason,
  ): void;
  /** The session can be found under another key, until the connection to its caller is closed. */
  aliased?(session: Pick<HostSession, "id">, key: string): void;
  /** The session's plugin keeps a record for the case that this process crashes. */
  remembered?(session: Pick<HostSession, "id" | "owner">, record: object): void;
  /** A message between the caller's application and the bot. */
  message?(session: Pick<HostSession, "id" | "owner" | "transport">, from: "caller" | "bot", message: unknown): void;
  /** The caller pressed a key. */
  key?(session: Pick<HostSession, "id" | "owner" | "transport">, key: string): void;
  /** A caller was rejected with AT_CAPACITY or DRAINING. Runs in the asynchronous context of the rejected request. */
  rejected?(): void;
}

/** The sessions of one runner. */
export interface SessionEngine {
  /** The media timer of all calls. */
  readonly pacer: MeasuredPacer;
  /** Live sessions, also those whose cleanup runs. */
  [Symbol.iterator](): Iterator<HostSession>;
  /** Sessions by state; both are 0 when nothing is left open. */
  readonly counts: { readonly pending: number; readonly active: number };
  /** Whether the engine rejects all further callers. */
  readonly draining: boolean;
  /**
   * Creates a pending session. Displaces the oldest pending sessions (`evicted`) when there are too many or their bodies take
   * too much memory. Throws AT_CAPACITY or DRAINING, and for an `id` of the caller's REQUEST_INVALID or SESSION_ID_TAKEN.
   */
  create(owner: SessionOwner, options?: Parameters<RunnerContext["createSession"]>[0]): HostSession;
  /** The live session with this id. */
  get(id: string): HostSession | undefined;
  /** How the session with this id ended; `undefined` for one that is live, unknown, or forgotten. */
  findEnded(id: string): EndedSession | undefined;
  /** The live session of this owner with this id or alias. */
  find(owner: string, idOrAlias: string): HostSession | undefined;
  /**
   * Throws AT_CAPACITY or DRAINING when no caller would be accepted now. Accepts the caller of a `session` that is reserved or
   * not pending.
   */
  assertAccepting(session?: HostSession): void;
  /**
   * The session in whose asynchronous scope this code runs, also after its end: for handlers of `unhandledRejection` and
   * `uncaughtException`. Observed on Node 22.23 and 24.21:
   *
   * - Found: exceptions in timers, immediates, `nextTick`, and listeners of sockets or emitters that the bot's own code set
   *   up; rejections of every promise that the bot awaits or detached; listeners of `args.signal`; cleanup; request handlers.
   * - Not found: an exception in a listener that foreign code calls, such as an emitter or a socket from outside the bot.
   *   `session.bind` catches those.
   * - Different: an exception in `queueMicrotask` is found on Node 24 only.
   */
  current(): HostSession | undefined;
  /** Ends all sessions; resolves when they have ended. */
  endAll(reason: CloseReason): Promise<void>;
  /**
   * Takes no new callers, and ends pending sessions without a reserved place, and those whose caller's phone rings. Resolves when the last live session has ended, or
   * with false when `limitMs` passed before.
   */
  drain(limitMs: number): Promise<boolean>;
  /** Ends all sessions, by force those that still run after `ms`. */
  shutDown(ms: number): Promise<void>;
}

export function createSessionEngine(options: SessionEngineOptions, logger: Logger): SessionEngine {
  const { bot, defaultBody, maxSessions, maxCallDurationMs, cliArgs, fileStorageOf } = options;
  const { sessionIds = randomUUID, pendingTakesPlace = false, observer } = options;
  const maxPending = Number.isFinite(maxSessions) ? 4 * maxSessions : defaultMaxPending;
  const storage = new AsyncLocalStorage<HostSession>();
  /** Every session that is not released yet, by id. */
  const live = new Map<string, HostSession>();
  /** Sessions that wait for their caller, the oldest first, with the memory of their bodies in bytes. */
  const pending = new Map<HostSession, number>();
  let pendingBytes = 0;
  /** Pending sessions with a reserved place. */
  const reserved = new Set<HostSession>();
  const active = new Set<HostSession>();
  const history = createSessionHistory();
  /** Aliases by owner. */
  const aliases = new Map<string, Map<string, HostSession>>();
  let draining = false;

  const watchdog = createWatchdog<HostSession>({
    current: () => storage.getStore(),
    onBlocked: (durationMs) => options.onBlocked?.(durationMs),
    warn(session, durationMs) {
      (session?.logger ?? logger).warn({ durationMs: Math.round(durationMs) }, "event loop blocked");
    },
  });
  const timer = createPacer({
    ...(options.clock && { clock: options.clock }),
    onLate: watchdog.late,
    onError(error) {
      const session = storage.getStore();
      if (session) session.fail(error, "transport-failed");
      else logger.error({ err: error }, "a media timer failed outside of any session");
    },
  });
  const pacer: MeasuredPacer = {
    ...timer,
    every: (periodMs, tick) =>
      timer.every(periodMs, (dueMs) => {
        const session = storage.getStore();
        return session ? watchdog.enter(session, () => tick(dueMs)) : tick(dueMs);
      }),
  };

  function get(id: string): HostSession | undefined {
    const session = live.get(id);
    return session?.state === "ended" ? undefined : session;
  }

  function find(owner: string, idOrAlias: string): HostSession | undefined {
    const session = get(idOrAlias);
    return session?.owner === owner ? session : aliases.get(owner)?.get(idOrAlias);
  }

  function assertAccepting(session?: HostSession): void {
    if (session && (session.state !== "pending" || reserved.has(session))) return;
    if (draining) {
      observer?.rejected?.();
      throw new RunnerError("DRAINING", "This server is shutting down.", {
        fix: "Try again in a moment: another server may answer.",
      });
    }
    if (pendingTakesPlace && session) return;
    if (active.size + (pendingTakesPlace ? pending.size : reserved.size) < maxSessions) return;
    observer?.rejected?.();
    throw new RunnerError("AT_CAPACITY", "All places for calls are taken.", {
      fix: "Try again in a moment.",
    });
  }

  function leavePending(session: HostSession): void {
    pendingBytes -= pending.get(session) ?? 0;
    pending.delete(session);
    reserved.delete(session);
  }

  /** Makes room for the newest session, which stays whatever its size. */
  function evictFor(newest: HostSession): void {
    for (const oldest of pending.keys()) {
      if (oldest === newest || (pending.size <= maxPending && pendingBytes <= maxPendingBytes)) return;
      if (!reserved.has(oldest)) void oldest.end("evicted");
    }
  }

  function addAlias(session: HostSession, key: string): void {
    const own = aliases.get(session.owner) ?? new Map<string, HostSession>();
    aliases.set(session.owner, own);
    if (own.has(key) || live.get(key)?.owner === session.owner) {
      throw new RunnerError("SESSION_ALIAS_TAKEN", `Another session has the alias "${key}".`, {
        fix: "End that session first, or use an alias that distinguishes the two.",
      });
    }
    if (!get(session.id)) return;
    own.set(key, session);
    observer?.aliased?.(session, key);
  }

  function releaseAliases(session: HostSession): void {
    const own = aliases.get(session.owner);
    for (const [key, of] of own ?? []) if (of === session) own?.delete(key);
  }

  function checkChosenId(owner: string, id: string): void {
    if (!/^[\w-]{1,128}$/.test(id)) {
      throw new RunnerError("REQUEST_INVALID", "A session's id must have 1 to 128 letters, digits, - and _.", {
        fix: "Use a UUID, or no id.",
      });
    }
    if (!live.has(id) && aliases.get(owner)?.has(id) !== true) return;
    throw new RunnerError("SESSION_ID_TAKEN", `The session id "${id}" is in use.`, {
      fix: "Use a new UUID for each session, or no id.",
    });
  }

  async function endAll(reason: CloseReason): Promise<void> {
    await Promise.all([...live.values()].map((session) => session.end(reason)));
  }

  async function allEnded(): Promise<void> {
    await Promise.all([...live.values()].map((session) => session.ended));
  }

  return {
    pacer,
    [Symbol.iterator]: () => live.values(),
    get counts() {
      return { pending: pending.size, active: active.size };
    },
    get draining() {
      return draining;
    },
    create(owner, { body, ringMs, reserve = ringMs !== undefined, id: chosenId } = {}) {
      assertAccepting();
      if (chosenId !== undefined) checkChosenId(owner.name, chosenId);
      const session = createSession({
        id: chosenId ?? sessionIds(),
        bot,
        owner,
        body,
        defaultBody,
        ringMs,
        pacer,
        maxDurationMs: maxCallDurationMs,
        cliArgs,
        fileStorageOf,
        handlesSignals: options.handlesSignals(),
        inScope: (of, work) => watchdog.enter(of, () => storage.run(of, work)),
        activate(activated) {
          assertAccepting(activated);
          leavePending(activated);
          active.add(activated);
        },
        started: (running) => observer?.changed?.(running),
        alias: addAlias,
        rememberForCrash: (of, record) => observer?.remembered?.(of, record),
        message: observer?.message,
        key: observer?.key,
        transportBuilt(of, transport) {
          const release = options.onTransport?.(of, transport);
          if (release) of.onEnd(release);
        },
        disconnected: releaseAliases,
        ending(over, reason) {
          const { id, transport, startedAt } = over;
          history.add({ id, transport, startedAt, durationMs: Math.max(0, Date.now() - startedAt.getTime()), reason });
          leavePending(over);
          releaseAliases(over);
        },
        reportFailure: options.reportFailure,
        ended(over, reason) {
          active.delete(over);
          live.delete(over.id);
          options.onEnded?.(over, reason);
          observer?.changed?.(over, reason);
        },
      });
      live.set(session.id, session);
      const bytes = estimateBytes(body, maxPendingBytes);
      pending.set(session, bytes);
      pendingBytes += bytes;
      if (reserve) reserved.add(session);
      observer?.changed?.(session);
      evictFor(session);
      return session;
    },
    get,
    findEnded: history.find,
    find,
    assertAccepting,
    current: () => storage.getStore(),
    endAll,
    async drain(limitMs) {
      draining = true;
      for (const session of pending.keys()) {
        if (!reserved.has(session) || session.rings) void session.end("shutdown");
      }
      return await withTimeout(allEnded(), limitMs);
    },
    async shutDown(ms) {
      draining = true;
      if (await withTimeout(endAll("shutdown"), ms)) return;
      for (const session of live.values()) session.forceEnd();
      await withTimeout(allEnded(), ms / 2);
    },
  };
}
