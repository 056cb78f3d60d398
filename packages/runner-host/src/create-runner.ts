import { once } from "node:events";
import type { Server } from "node:http";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import cors from "@koa/cors";
import { answerHandshake, handledMessages, sendFatalError } from "@pipecat-ts/rtvi";
import {
  type Credentials,
  isExposed,
  type RunnerContext,
  RunnerError,
  type Transport,
  type TransportPlugin,
  withTimeout,
} from "@pipecat-ts/runner-core";
import { createSessionEngine, type HostSession } from "@pipecat-ts/runner-sessions";
import Koa from "koa";
import { createAccessControl, sessionUnknown } from "./access.ts";
import { loadBodyParser, readBody } from "./bodies.ts";
import { createCloud } from "./cloud.ts";
import { createConnectionGuard, defaultLimits } from "./connections.ts";
import { answerErrors, errorReply } from "./errors.ts";
import { explainError } from "./explain-error.ts";
import { createLogger } from "./logging.ts";
import { createMetrics } from "./metrics.ts";
import { createSettings } from "./options.ts";
import { createPermits } from "./permits.ts";
import { closePlugins, findDirect, type InstalledTransport, isStartable, openPlugins } from "./plugins.ts";
import { boundUrl, createPublicUrls } from "./public-url.ts";
import { addRoutes, unauthenticatedRoutes } from "./routes.ts";
import type { Runner, RunnerOptions } from "./runner.ts";
import { closeAll, createCallerServer, type HttpServer, openServer, type ServerOptions } from "./server.ts";
import { createSessionFiles } from "./session-files.ts";
import { createSockets, type PluginSocketRoute, type Sockets } from "./sockets.ts";
import { addClientRoutes, createFileSender, requireFolder } from "./static-files.ts";
import { createWire } from "./wire.ts";
import { createRouter, loadFetch } from "./without-fetch.ts";

/** How long live sessions have when the runner closes, from the abort of their signals until they are ended by force, in ms. */
const shutDownMs = 2_000;
/** How long a worker's callers wait for the warm-up of its transports, in ms. */
const warmUpMs = 10_000;

/** Assembles a runner. Opens nothing before `listen()`. Throws OPTION_INVALID. */
export function createRunner(options: RunnerOptions): Runner {
  const {
    bot,
    plugins = [],
    pluginOptions = {},
    env = process.env,
    clientRoot,
    downloadsFolder,
    fileStorage,
    clock,
    takePermit = createPermits(),
  } = options;
  if (typeof bot !== "function") {
    throw new RunnerError("OPTION_INVALID", `createRunner requires a bot: ${inspect(bot)} is not a function.`, {
      fix: "Pass a function that takes the arguments of a session: createRunner({ bot: async (args) => { … } }).",
    });
  }
  const { settings, access: accessOptions, cloud: servesCloud } = createSettings(options);
  const cloud = servesCloud ? createCloud() : undefined;
  const logger: RunnerOptions["logger"] & object = options.logger ?? createLogger();
  const shared = new Map<string, unknown>();
  let serving = true;
  const metrics = createMetrics({
    sessions: () => engine,
    lag: () => engine.pacer.lag,
    droppedLogLines: () => logger.droppedLines ?? 0,
  });
  const callTransports = new WeakMap<HostSession, Transport>();
  const files = fileStorage && createSessionFiles(fileStorage);
  const wire = options.wire && createWire(options.wire, logger);
  const engine = createSessionEngine(
    {
      bot,
      defaultBody: options.body,
      maxSessions: settings.maxSessions,
      maxCallDurationMs: settings.maxCallDurationMs,
      cliArgs: settings.cliArgs,
      ...(files && { fileStorageOf: files.storageOf }),
      sessionIds: options.sessionIds,
      pendingTakesPlace: options.pendingTakesPlace ?? servesCloud,
      clock,
      observer: wire ? wire.sessionObserver(options.observer) : options.observer,
      handlesSignals: () => !serving,
      onTransport(session, transport) {
        callTransports.set(session, transport);
        wire?.connected(session);
        answerHandshake(transport, { logger: session.logger });
        return metrics.follow(session.transport, transport);
      },
      // Errors may quote secrets, so only the developer's own browser gets them. Who reaches an embedded runner is unknown.
      get reportFailure() {
        return accessOptions.apiKey === undefined && !isExposed(settings) && !embedded ? sendFailure : undefined;
      },
      onEnded: (session, reason) => metrics.sessionEnded(session.transport, reason),
      onBlocked: metrics.eventLoopBlocked,
    },
    logger,
  );
  const access = createAccessControl(accessOptions, settings, logger, engine);

  const app = new Koa();
  const router = createRouter();
  router.use(readBody());
  app.on("error", (err) => logger.debug({ err }, "response could not be sent"));
  app
    // Without credentials: the key or a session's id authorizes callers, never a cookie.
    .use(
      cors({
        origin: access.restrictsOrigins
          ? ({ req, headers }) => (access.allowsOrigin(req) ? (headers.origin ?? "") : "")
          : "*",
        allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        exposeHeaders: ["X-Session-Id"],
        maxAge: 600,
      }),
    )
    .use((ctx, next) => (wire ? wire.middleware(ctx, next) : next()))
    .use(answerErrors(logger, metrics.countRejection))
    .use((ctx, next) => {
      access.checkRequest(ctx.req);
      return next();
    });

  if (cloud) app.use(cloud.middleware);

  let transports: InstalledTransport[] = [];
  let sockets: Sockets | undefined;
  let server: HttpServer | undefined;
  let embedded: Server | undefined;
  let opening: Promise<void> | undefined;
  let warming: Promise<void> = Promise.resolve();
  let isWarm = false;
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let releasing: Promise<void> | undefined;

  const publicUrl = createPublicUrls(settings, () => server?.url ?? boundUrl(settings.host, settings.port));

  function create(plugin: TransportPlugin, begin?: Parameters<RunnerContext["createSession"]>[0]): HostSession {
    const owner = { name: plugin.name, runsAs: plugin.advanced?.runsAs, logger: loggerOf(plugin) };
    return touched(engine.create(owner, { ...begin, id: begin?.id ?? cloud?.takeSessionId() }));
  }

  /** For the observer of the wire: what is being handled concerns this session. */
  function touched<Found extends HostSession | undefined>(session: Found): Found {
    if (session) wire?.touched(session);
    return session;
  }

  function loggerOf(plugin: TransportPlugin) {
    return logger.child({ transport: plugin.name });
  }

  function contextFor(plugin: TransportPlugin): RunnerContext {
    const { name } = plugin;
    return {
      settings,
      logger: loggerOf(plugin),
      pacer: engine.pacer,
      url: publicUrl,
      socketUrl(session, path, request) {
        const url = publicUrl(`${path}/${access.credential(session)}`, request);
        url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
        return url;
      },
      createSession: (begin) => create(plugin, begin),
      findSession: (idOrAlias) => touched(engine.find(name, idOrAlias)),
      admit({ credential, key, origin }: Credentials) {
        const isOwnOrigin = URL.parse(origin ?? "")?.host === publicUrl("/").host;
        try {
          const presented = { credential, bearer: key, origin, isOwnOrigin };
          const { session, release: restoreToken } = access.admit("caller", presented, false);
          if (session && session.owner !== name) {
            restoreToken();
            throw sessionUnknown();
          }
          return session ?? create(plugin, { reserve: true });
        } catch (error) {
          metrics.countRejection(errorReply(error).body.code);
          throw error;
        }
      },
      credential: access.credential,
      takePermit,
      countRejection: metrics.countRejection,
      shared<T>(key: string, createValue: () => T): T {
        if (!shared.has(key)) shared.set(key, createValue());
        return shared.get(key) as T;
      },
    };
  }
  const pluginSources = { plugins, pluginOptions, env, logger, contextFor };

  function socketRoutes(): PluginSocketRoute[] {
    return transports.flatMap(({ plugin, open }) =>
      (open?.sockets ?? []).map((route) => ({
        owner: plugin.name,
        route,
        logger: loggerOf(plugin),
        createSession: () => create(plugin, { reserve: true }),
      })),
    );
  }

  async function openTransports(restrictedTo: string | undefined): Promise<void> {
    transports = await openPlugins(pluginSources, restrictedTo);
  }

  /** Opens the plugins, and the server that `serve` returns. */
  async function open(serve: (how: ServerOptions) => Promise<HttpServer>): Promise<void> {
    if (downloadsFolder !== undefined) await requireFolder(downloadsFolder);
    await openTransports(settings.transport);
    sockets = createSockets(socketRoutes(), access, logger, metrics.countRejection, cloud?.upgrade, wire);
    const routes = createRouter();
    const sendFrom = createFileSender();
    const guard = createConnectionGuard(defaultLimits(settings.maxSessions), logger, metrics);
    const restrictedTo = settings.transport;
    const handledBy = (session: HostSession) => {
      const transport = callTransports.get(session);
      return transport ? handledMessages(transport) : [];
    };
    const requiresKey = accessOptions.apiKey !== undefined;
    addRoutes(routes, {
      ...{ transports, restrictedTo, engine, access, metrics, url: publicUrl, files, guard, cloud },
      ...{ downloadsFolder, sendFrom, handledBy, userRouter: router, requiresKey, touched, isWarm: () => isWarm },
      showsProblems: requiresKey || !isExposed(settings),
    });
    if (clientRoot !== undefined) addClientRoutes(routes, clientRoot, sendFrom);
    app.use(router.routes()).use(routes.routes()).use(routes.allowedMethods());
    const handle = app.callback();
    server = await serve({ handle, guard, countRejection: metrics.countRejection, attachSockets: sockets.attach });
    warming = warmUp();
  }

  /** Loads what only requests need, once the runner listens. */
  async function warmUp(): Promise<void> {
    await setImmediate();
    const own = { name: undefined, open: { advanced: { warmUp: () => Promise.all([loadBodyParser(), loadFetch()]) } } };
    for (const { name, open } of [own, ...transports]) {
      try {
        await open?.advanced?.warmUp?.();
      } catch (err) {
        logger.error({ err, transport: name }, "warm-up failed");
      }
    }
    isWarm = true;
  }

  function openOnce(begin: () => Promise<void>): Promise<void> {
    if (closing) return Promise.reject(new Error("The runner is closed. Create another one."));
    opening ??= begin().catch(async (error: unknown) => {
      await release();
      throw error;
    });
    return opening;
  }

  /** The server that handles the requests of the program's own server. */
  function requireEmbedded(): Server {
    if (embedded) return embedded;
    throw new RunnerError("RUNNER_NOT_OPEN", "The runner cannot handle requests yet.", {
      fix: server
        ? "After listen(), it has a server of its own. Call open() instead to pass it requests."
        : "Await runner.open() before your server listens.",
    });
  }

  /** Closes everything, once. */
  function release(): Promise<void> {
    releasing ??= (async () => {
      await withTimeout(warming, shutDownMs);
      // Before the sockets, because plugins may send a last message on them.
      await closePlugins(transports, logger);
      await Promise.all([sockets?.close(), server?.close()]);
      await options.wire?.close?.();
    })();
    return releasing;
  }

  async function shutDown(): Promise<void> {
    await opening?.catch(() => undefined); // The caller of listen() gets the error.
    await engine.shutDown(shutDownMs);
    await release();
  }

  async function drain(): Promise<void> {
    await opening?.catch(() => undefined); // The caller of listen() gets the error.
    if (!(await engine.drain(settings.shutdownTimeoutMs))) {
      logger.warn({ sessions: engine.counts.active }, "shutdown timeout reached, ending live sessions");
    }
    await close();
  }

  function close(): Promise<void> {
    closing ??= shutDown();
    return closing;
  }

  return {
    app,
    router,
    sessions: {
      [Symbol.iterator]: engine[Symbol.iterator],
      get counts() {
        return engine.counts;
      },
      find: engine.get,
      current: engine.current,
      endAll: engine.endAll,
    },
    get transports() {
      return transports.map((transport) => {
        const { name, availability, open: opened } = transport;
        const { banner, listeners = [] } = opened?.advanced ?? {};
        return { name, availability, startable: isStartable(transport), banner: banner?.() ?? [], listeners };
      });
    },
    get unauthenticatedRoutes() {
      if (!server || servesCloud || !isExposed(settings)) return [];
      const serves = { downloads: downloadsFolder !== undefined, uploads: files !== undefined };
      return unauthenticatedRoutes(accessOptions, serves, transports);
    },
    get url() {
      if (!server) throw new Error("The runner has no URL before listen().");
      return new URL(server.url);
    },
    async listen() {
      if (embedded) throw openAlready();
      await openOnce(() => open((how) => openServer(settings.host, settings.port, how)));
    },
    async open() {
      const serve = async (how: ServerOptions) => {
        embedded = createCallerServer(how);
        return { url: boundUrl(settings.host, settings.port), close: async () => undefined };
      };
      await openOnce(() => open(serve));
      if (!embedded) throw openAlready();
    },
    handle(request, response) {
      const runner = requireEmbedded();
      if (request.readableDidRead) {
        throw new RunnerError("BODY_INVALID", "The body of this request was read before the runner got it.", {
          fix: "Register runner.handle before body parsers.",
        });
      }
      runner.emit("request", request, response);
    },
    upgrade(request, socket, head) {
      const runner = requireEmbedded();
      if (!(socket instanceof Duplex)) {
        throw new RunnerError("REQUEST_INVALID", `The connection of an upgrade request is ${inspect(socket)}.`, {
          fix: 'Pass the arguments of the event "upgrade" of your HTTP server: server.on("upgrade", runner.upgrade).',
        });
      }
      runner.emit("upgrade", request, socket, head);
    },
    async attach(path, url) {
      let attached: Server | undefined;
      const serve = async (how: ServerOptions) => {
        const created = createCallerServer(how);
        attached = created;
        await once(created.listen(path), "listening");
        return { url, close: () => closeAll([created]) };
      };
      await openOnce(() => open(serve));
      if (!attached) throw openAlready();
      await withTimeout(warming, warmUpMs);
      return attached;
    },
    metrics: metrics.values,
    async cleanUpAfterCrash(name, record) {
      const found = transports.find((transport) => transport.name === name);
      try {
        await found?.open?.advanced?.cleanUpAfterCrash?.(record);
      } catch (err) {
        logger.error({ err, transport: name }, "cleanup after a crash failed");
      }
    },
    async direct(name) {
      serving = false;
      try {
        await openOnce(() => openTransports(name));
        if (!draining && !closing) await findDirect(transports, name)();
      } finally {
        await close();
      }
    },
    drain() {
      draining ??= drain();
      return draining;
    },
    close,
    handleUncaught(error) {
      const session = engine.current();
      session?.fail(error, "bot-failed");
      return session !== undefined;
    },
  };
}

function sendFailure(transport: Transport, error: unknown): Promise<void> {
  const { summary, fix = "" } = explainError(error);
  const end = fix === "" || /[.!?…]$/.test(summary) ? "" : ".";
  return sendFatalError(transport, `${summary}${end} ${fix}`.trim());
}

const openAlready = () => new Error("The runner is open already. Use one of listen(), open() and attach(), once.");
