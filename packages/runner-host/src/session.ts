import { randomUUID } from "node:crypto";
import {
  type Bot,
  type BotSession,
  type CloseReason,
  type Connect,
  connectKey,
  isRunnerError,
  type Logger,
  type OwnArguments,
  type RunnerArguments,
  RunnerError,
  type Session,
  type SessionArguments,
  type SessionState,
} from "@pipecat-ts/runner-core";
import type { Context } from "koa";
import { createBotTransport } from "./bot-transport.ts";
import { createEnding, type Ending } from "./ending.ts";
import type { SessionMetrics } from "./metrics.ts";
import { createOwnership, type Release } from "./ownership.ts";
import type { SessionScope } from "./session-scope.ts";

/** How long a started session waits for its caller. */
export const pendingMs = 120_000;

/** What a session needs of the registry that made it. */
export interface SessionOptions {
  readonly bot: Bot;
  readonly body: unknown;
  /** What the bot gets when neither the start request nor the transport brings one. */
  readonly defaultBody: unknown;
  /** The name of the transport that made it. */
  readonly transport: string;
  readonly logger: Logger;
  readonly scope: SessionScope;
  readonly metrics: SessionMetrics;
  readonly cliArgs: Readonly<Record<string, unknown>>;
  /** Whether the bot handles SIGINT and SIGTERM itself. */
  readonly handlesSignals: boolean;
  /** Counts it as active; throws AT_CAPACITY or DRAINING. */
  admit(session: Session): void;
  /** Makes it findable by a further key; throws SESSION_ALIAS_TAKEN. */
  alias(session: Session, key: string): void;
  /** It is no longer found. */
  onEnding(session: Session): void;
  /** Everything it owned is released. */
  onEnded(session: Session): void;
}

/** A session as the host itself uses it. */
export interface HostSession extends Session {
  /** The name of the transport that its caller comes in by. */
  readonly transport: string;
  readonly startedAt: Date;
  /** Lets the bot's own handlers answer a request to `/sessions/{id}/{path}`, in the order they were registered. */
  answer(ctx: Context): Promise<void>;
  /** Ends it now, whoever still runs. */
  giveUp(): void;
}

export function createSession(options: SessionOptions): HostSession {
  const { scope } = options;
  const id = randomUUID();
  const logger = options.logger.child({ session: id });
  const controller = new AbortController();
  const ownership = createOwnership(logger);
  const handlers: ((ctx: Context) => unknown)[] = [];
  const startedAt = new Date();
  const startedAtMs = performance.now();
  let { transport: transportName } = options;
  let resolveEnded: (reason: CloseReason) => void = () => undefined;
  const ended = new Promise<CloseReason>((resolve) => {
    resolveEnded = resolve;
  });
  let { body } = options;
  let state: SessionState = "pending";
  let ending: Ending | undefined;
  const abandoned = setTimeout(() => void finish("abandoned"), pendingMs);

  const forBot: BotSession = Object.freeze({
    id,
    logger,
    own: (release: Release) => ownership.add(release),
    onRequest: (handler: (ctx: Context) => unknown) => void handlers.push(handler),
  });

  function abort(reason: CloseReason): void {
    // In the session's scope, so that an abort listener that throws is known to be its own.
    scope.run(session, () => controller.abort(new DOMException(`The session ended: ${reason}.`, "AbortError")));
  }

  async function finish(reason: CloseReason): Promise<void> {
    if (state === "ended") return;
    clearTimeout(abandoned);
    state = "ended";
    options.onEnding(session);
    if (!controller.signal.aborted) abort(reason);
    await scope.run(session, () => ownership.releaseAll(reason));
    handlers.length = 0;
    options.onEnded(session);
    options.metrics.ended(transportName, reason);
    logger.info({ reason, durationMs: Math.round(performance.now() - startedAtMs) }, `session ended: ${reason}`);
    resolveEnded(reason);
  }

  async function runBot(args: object, end: Ending): Promise<void> {
    // The transport that called run() finishes its own work first.
    await null;
    try {
      if (!controller.signal.aborted) await options.bot(args as RunnerArguments);
      end.botReturned();
    } catch (err) {
      if (controller.signal.aborted && isAbort(err)) logger.debug({ err }, "the bot stopped");
      else logger.error({ err }, "the bot failed");
      end.botFailed();
    }
  }

  const session: HostSession = {
    ...forBot,
    startedAt,
    get transport() {
      return transportName;
    },
    get state() {
      return state;
    },
    get body() {
      return body;
    },
    signal: controller.signal,
    ended,
    alias(key) {
      options.alias(session, key);
    },
    run<Args extends SessionArguments>(own: OwnArguments<Args>, connect: Connect) {
      if (state !== "pending") {
        throw new RunnerError("SESSION_NOT_PENDING", `Session ${id} is ${state}; a session is run once.`);
      }
      options.admit(session);
      clearTimeout(abandoned);
      state = "active";
      transportName = own.transport;
      const transport = createBotTransport({
        connect,
        signal: controller.signal,
        logger,
        onBuilt: (built) => ownership.add(options.metrics.follow(own.transport, built)),
        onClosed: (reason) => active.transportClosed(reason),
      });
      const active = createEnding({ hangUp: transport.hangUp, abort, finish: (reason) => void finish(reason) }, logger);
      ending = active;
      body = [own.body, body, options.defaultBody].find((each) => each !== undefined);
      const common: SessionArguments & { readonly [connectKey]: Connect } = {
        transport: own.transport,
        sessionId: id,
        body,
        session: forBot,
        signal: controller.signal,
        handleSigint: options.handlesSignals,
        handleSigterm: options.handlesSignals,
        cliArgs: options.cliArgs,
        [connectKey]: transport.connect,
      };
      logger.info("session started");
      void scope.run(session, () => runBot(Object.freeze({ ...own, ...common }), active));
    },
    end(reason) {
      if (ending) ending.end(reason);
      else void finish(reason);
      return ended.then(() => undefined);
    },
    async answer(ctx) {
      for (const handler of handlers) {
        await scope.run(session, () => handler(ctx));
        if (ctx.body !== undefined || ctx.status !== 404 || ctx.respond === false) return;
      }
    },
    giveUp() {
      if (ending) ending.giveUp();
      else void finish("shutdown");
    },
  };
  return session;
}

/** Whether this is how code stops that was told to. */
function isAbort(error: unknown): boolean {
  if (isRunnerError(error)) return error.code === "TRANSPORT_NOT_CONNECTED";
  return error instanceof Error && error.name === "AbortError";
}
