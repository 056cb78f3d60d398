import {
  type Bot,
  type BotSession,
  type Call,
  type CallData,
  type CloseReason,
  type Connect,
  connectKey,
  type FileStorage,
  isRunnerError,
  type Logger,
  type MediaPort,
  type OwnArguments,
  type Pacer,
  type ParamsOf,
  type RunnerArguments,
  RunnerError,
  type Session,
  type SessionArguments,
  type SessionState,
  type Transport,
  type TransportParams,
} from "@pipecat-ts/runner-core";
import { checkParams, createBufferedCall, createMedia } from "@pipecat-ts/runner-media";
import { type ConnectOnce, connectOnce } from "./connect-once.ts";
import { createFailureReport, type ReportFailure } from "./failure-report.ts";
import { createDisposables, createTermination, type Release, type Termination } from "./termination.ts";
import { createTimeLimit, type Goodbye, type TimeLimit } from "./time-limit.ts";

/** How long a pending session waits for its caller, in ms. */
export const pendingMs = 120_000;

/** The error in the log after `throw undefined`. */
const nothingThrown = "undefined was thrown";

/** A handler that a bot registered with `onRequest`. */
export type RequestHandler = Parameters<BotSession["onRequest"]>[0];

/** A session, for the host. */
export interface HostSession extends Session {
  /** The plugin that created the session, by name. */
  readonly owner: string;
  /** The transport of its bot; before the bot runs, its owner. */
  readonly transport: string;
  readonly startedAt: Date;
  /** `args.callData` of its bot. */
  readonly callData?: CallData | undefined;
  /** Whether this is an outbound call that nobody has answered yet. */
  readonly rings: boolean;
  /** The request handlers of the bot, in order of registration. */
  readonly requestHandlers: readonly RequestHandler[];
  /** Runs `work` in the session's asynchronous scope. */
  inScope<Result>(work: () => Result): Result;
  /** The caller is gone: reports it to the bot's transport, or ends a session whose bot does not run yet. */
  callerLeft(reason?: CloseReason): void;
  /** Ends the session because of an error, and logs it once. */
  fail(error: unknown, reason: "bot-failed" | "transport-failed"): void;
  /** Ends the session now, without waiting for bot or wire. */
  forceEnd(): void;
}

/** The plugin that creates a session. */
export interface SessionOwner {
  readonly name: string;
  /** The name that its bots get as `args.transport`, where it differs. */
  readonly runsAs?: string | undefined;
  readonly logger: Logger;
}

export interface SessionOptions {
  readonly id: string;
  readonly bot: Bot;
  readonly owner: SessionOwner;
  readonly body: unknown;
  /** `args.body` when neither the start request nor the transport has one. */
  readonly defaultBody: unknown;
  /** How long the caller's phone may ring, in ms; see `RunnerContext.createSession`. */
  readonly ringMs?: number | undefined;
  readonly pacer: Pacer;
  /** How long the call may last from the start of its bot, in ms. */
  readonly maxDurationMs: number;
  readonly cliArgs: Readonly<Record<string, unknown>>;
  /** Returns `args.fileStorage`. */
  readonly fileStorageOf: ((session: HostSession) => FileStorage) | undefined;
  /** Whether the bot handles SIGINT and SIGTERM itself. */
  readonly handlesSignals: boolean;
  inScope<Result>(session: HostSession, work: () => Result): Result;
  /** Counts the session as active. Throws AT_CAPACITY or DRAINING. */
  activate(session: HostSession): void;
  /** The session is active, and its bot starts. */
  started(session: HostSession): void;
  /** Throws SESSION_ALIAS_TAKEN. */
  alias(session: HostSession, key: string): void;
  rememberForCrash(session: HostSession, record: object): void;
  /** Learns messages between the caller's application and the bot. */
  readonly message: ((session: HostSession, from: "caller" | "bot", message: unknown) => void) | undefined;
  /** Learns the keys that the caller presses. */
  readonly key: ((session: HostSession, key: string) => void) | undefined;
  /** The bot's transport is built. */
  transportBuilt(session: HostSession, transport: Transport): void;
  /** The connection to the caller is closed: the session can no longer be found under its aliases. */
  disconnected(session: HostSession): void;
  /** The session can no longer be found. */
  ending(session: HostSession, reason: CloseReason): void;
  /** Tells the caller why the bot failed. */
  readonly reportFailure?: ReportFailure | undefined;
  /** Everything is released. */
  ended(session: HostSession, reason: CloseReason): void;
}

export function createSession(options: SessionOptions): HostSession {
  const { id, owner } = options;
  const logger = owner.logger.child({ session: id });
  const controller = new AbortController();
  const disposables = createDisposables(logger);
  const requestHandlers: RequestHandler[] = [];
  const startedAt = new Date();
  const startedAtMs = performance.now();
  const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<CloseReason>();
  let transportName = owner.name;
  let callData: CallData | undefined;
  let { body } = options;
  let state: SessionState = "pending";
  let termination: Termination | undefined;
  let call: Call | undefined;
  let hasFailed = false;
  let connecting: ConnectOnce | undefined;
  let timeLimit: TimeLimit | undefined;
  const report = options.reportFailure && createFailureReport(options.reportFailure, controller.signal, logger);
  const abandoned = setTimeout(() => void finish("abandoned"), options.ringMs ?? pendingMs);

  function inScope<Result>(work: () => Result): Result {
    return options.inScope(session, work);
  }

  function abort(reason: CloseReason): void {
    // In the session's scope, so that an exception in an abort listener is attributed to it.
    inScope(() => controller.abort(new DOMException(`The session ended: ${reason}.`, "AbortError")));
  }

  async function finish(reason: CloseReason): Promise<void> {
    if (state === "ended") return;
    clearTimeout(abandoned);
    timeLimit?.close();
    state = "ended";
    options.ending(session, reason);
    if (!controller.signal.aborted) abort(reason);
    await inScope(() => disposables.disposeAll(reason));
    requestHandlers.length = 0;
    options.ended(session, reason);
    logger.info({ reason, durationMs: Math.round(performance.now() - startedAtMs) }, "session ended");
    resolveEnded(reason);
  }

  function fail(err: unknown, reason: "bot-failed" | "transport-failed"): void {
    if (hasFailed) {
      logger.debug({ err }, "further error in a failed session");
      return;
    }
    hasFailed = true;
    logger.error({ err: err ?? nothingThrown }, reason === "bot-failed" ? "bot failed" : "transport failed");
    if (state === "ended") return;
    if (reason === "bot-failed" && report && connecting)
      void report.send(err, connecting.ensureTransport).then(() => session.end(reason));
    else void session.end(reason);
  }

  function bind<Args extends readonly unknown[]>(
    callback: (...args: Args) => unknown,
    reason: "bot-failed" | "transport-failed",
  ): (...args: Args) => void {
    return (...args) => {
      try {
        const result = inScope(() => callback(...args));
        if (result instanceof Promise) result.catch((error: unknown) => fail(error, reason));
      } catch (error) {
        fail(error, reason);
      }
    };
  }

  function observed(inner: Call): Call {
    return {
      ...inner,
      message(message, sender) {
        options.message?.(session, "caller", message);
        inner.message(message, sender);
      },
      dtmf(key) {
        options.key?.(session, key);
        inner.dtmf(key);
      },
    };
  }

  async function runBot(args: object, end: Termination): Promise<void> {
    // The transport that called run() finishes first.
    await null;
    try {
      if (!controller.signal.aborted) await options.bot(args as RunnerArguments);
      end.botReturned();
    } catch (err) {
      if (controller.signal.aborted && isAbort(err)) logger.debug({ err }, "bot stopped");
      else if (hasFailed) logger.debug({ err }, "further error in a failed session");
      else logger.error({ err: err ?? nothingThrown }, "bot failed");
      hasFailed = true;
      if (report && connecting) await report.send(err, connecting.ensureTransport);
      end.botFailed();
    }
  }

  const botSession: BotSession = Object.freeze({
    id,
    logger,
    onEnd: (release: Release) => disposables.add(release),
    onRequest: (handler: RequestHandler) => void requestHandlers.push(handler),
    limitDuration: (ms: number) => timeLimit?.set(ms),
    onTimeLimit: (goodbye: Goodbye) => timeLimit?.addGoodbye(goodbye),
    bind: <Args extends readonly unknown[]>(callback: (...args: Args) => unknown) => bind(callback, "bot-failed"),
  });

  const session: HostSession = {
    id,
    logger,
    owner: owner.name,
    onEnd: botSession.onEnd,
    bind: (callback) => bind(callback, "transport-failed"),
    startedAt,
    requestHandlers,
    inScope,
    fail,
    get transport() {
      return transportName;
    },
    get callData() {
      return callData;
    },
    get state() {
      return state;
    },
    get rings() {
      return state === "pending" && options.ringMs !== undefined;
    },
    get body() {
      return body;
    },
    signal: controller.signal,
    ended,
    rememberForCrash: (record) => options.rememberForCrash(session, record),
    alias(key) {
      options.alias(session, key);
    },
    run<Args extends SessionArguments>(
      own: OwnArguments<Args>,
      openPort: (params: ParamsOf<Args["transport"]>) => MediaPort | Promise<MediaPort>,
    ) {
      if (state !== "pending") {
        throw new RunnerError("SESSION_NOT_PENDING", `Session ${id} is ${state}.`, {
          fix: "Run each session once.",
        });
      }
      options.activate(session);
      clearTimeout(abandoned);
      state = "active";
      timeLimit = createTimeLimit({
        logger,
        startedMs: performance.now(),
        inScope,
        failed: (error) => fail(error, "bot-failed"),
        reached: () => void session.end("time-limit"),
      });
      timeLimit.set(options.maxDurationMs);
      transportName = owner.runsAs ?? owner.name;
      callData = own.callData;
      if (own.body !== undefined) body = own.body;
      options.started(session); // Observers get the caller's body, not the default one.
      if (body === undefined) body = options.defaultBody;
      const active = createTermination({
        logger,
        abort,
        disconnected: () => options.disconnected(session),
        finish: (reason) => void finish(reason),
      });
      termination = active;
      const buffered = inScope(() =>
        createBufferedCall({ clock: options.pacer.clock, logger, onLeft: active.callerLeft }),
      );
      call = buffered.call;
      if (report) {
        call = {
          ...buffered.call,
          connected() {
            buffered.call.connected();
            report.connected();
          },
        };
      }
      if (options.message || options.key) call = observed(call);
      session.onEnd(() => {
        const dropped = buffered.dropped;
        if (Object.values(dropped).some((count) => count > 0))
          logger.info(dropped, "caller media and messages dropped");
      });

      async function build(params: TransportParams): Promise<Transport> {
        checkParams(transportName, params);
        const port = await openPort(params as ParamsOf<Args["transport"]>);
        const media = createMedia({
          name: transportName,
          params,
          port,
          onMessage: (message) => options.message?.(session, "bot", message),
          pacer: options.pacer,
          logger,
          onClose: active.closeRequested,
          onListenerError: (error) => fail(error, "bot-failed"),
        });
        options.transportBuilt(session, media.transport);
        report?.transportBuilt(port.sendMessage !== undefined);
        buffered.attach(media.receiver);
        active.mediaOpened(media);
        return media.transport;
      }

      connecting = connectOnce(controller.signal, build);
      const common: SessionArguments & { readonly [connectKey]: Connect } = {
        transport: transportName,
        sessionId: id,
        body,
        session: botSession,
        signal: controller.signal,
        handleSigint: options.handlesSignals,
        handleSigterm: options.handlesSignals,
        cliArgs: options.cliArgs,
        ...(options.fileStorageOf && { fileStorage: options.fileStorageOf(session) }),
        [connectKey]: connecting.connect,
      };
      logger.info("session started");
      void inScope(() => runBot(Object.freeze({ ...own, ...common }), active));
      return call;
    },
    async end(reason) {
      if (state === "ended") return; // Cleanup that ends the session must not wait for itself.
      if (termination) termination.end(reason);
      else void finish(reason);
      await ended;
    },
    callerLeft(reason = "caller-left") {
      if (call) call.left(reason);
      else void finish(reason);
    },
    forceEnd() {
      if (termination) termination.forceEnd();
      else void finish("shutdown");
    },
  };
  return session;
}

/** Whether this is the error of code that was told to stop. */
function isAbort(error: unknown): boolean {
  if (isRunnerError(error)) return error.code === "TRANSPORT_NOT_CONNECTED";
  return error instanceof Error && error.name === "AbortError";
}
