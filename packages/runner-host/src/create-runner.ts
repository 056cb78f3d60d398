import { Router } from "@koa/router";
import type { RunnerContext, TransportPlugin } from "@pipecat-ts/runner-core";
import Koa from "koa";
import { createAccessControl, refuseStrangers } from "./access-control.ts";
import { createAccessOptions } from "./access-options.ts";
import { readBody } from "./body.ts";
import { findDirect } from "./choose-transport.ts";
import { serveClientFiles } from "./client-files.ts";
import { allowOrigins } from "./cors.ts";
import { settledWithin } from "./deadline.ts";
import { answerErrors } from "./errors.ts";
import { requireFolder, serveFolder } from "./folder-files.ts";
import { addHealthRoutes } from "./health-routes.ts";
import type { InstalledTransport } from "./installed-transport.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import { createLogger } from "./logging.ts";
import { createMetrics } from "./metrics.ts";
import { addMetricsRoute } from "./metrics-route.ts";
import { closePlugins, openPlugins } from "./open-plugins.ts";
import { openToAll } from "./open-to-all.ts";
import { addPluginRoutes, socketRoutesOf } from "./plugin-routes.ts";
import { boundUrl, createUrlFor } from "./public-url.ts";
import type { Runner, RunnerOptions } from "./runner.ts";
import { createSettings } from "./runner-settings.ts";
import { answerBySessions, findSession, refuseUnknownSessions } from "./session-requests.ts";
import { createSessionScope } from "./session-scope.ts";
import { createSessionRegistry } from "./sessions.ts";
import { addSessionsRoutes } from "./sessions-routes.ts";
import { addStartRoute } from "./start-route.ts";
import { addStatusRoute } from "./status-route.ts";
import { createUpgrades, type Upgrades } from "./upgrades.ts";

/** How long live sessions have, from the abort of their signals to being given up, when the runner closes. */
const shutDownMs = 2_000;

/** Puts a runner together. Opens nothing before `listen()`. Throws OPTION_INVALID. */
export function createRunner(options: RunnerOptions): Runner {
  const { bot, plugins = [], pluginOptions = {}, env = process.env, clientRoot, folder } = options;
  const settings = createSettings(options);
  const accessOptions = createAccessOptions(options);
  const logger = options.logger ?? createLogger();
  const scope = createSessionScope();
  const shared = new Map<string, unknown>();
  let serving = true;
  const metrics = createMetrics({ sessions: () => sessions, pacer: () => shared.get("pacer") });
  const sessions = createSessionRegistry({
    bot,
    defaultBody: options.body,
    settings,
    scope,
    metrics,
    handlesSignals: () => !serving,
  });

  const access = createAccessControl(accessOptions, settings, logger, (id) => findSession(sessions, id));
  const { apiKey, origins } = access;

  const app = new Koa();
  const router = new Router();
  app.on("error", (err) => logger.debug({ err }, "a response could not be sent"));
  app
    .use(allowOrigins(origins))
    .use(answerErrors(logger, metrics.refused))
    .use(refuseStrangers(access))
    .use(readBody());

  let transports: InstalledTransport[] = [];
  let upgrades: Upgrades | undefined;
  let listeners: Listeners | undefined;
  let opening: Promise<void> | undefined;
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  const urlFor = createUrlFor(settings, () => listeners?.url ?? boundUrl(settings.host, settings.port));

  function contextFor(plugin: TransportPlugin): RunnerContext {
    const pluginLogger = logger.child({ transport: plugin.name });
    return {
      settings,
      logger: pluginLogger,
      urlFor,
      createSession: (begun = {}) => sessions.create(begun, pluginLogger, plugin.name),
      socketSegment: access.socketSegment,
      refused: metrics.refused,
      findSession: sessions.find,
      shared<T>(key: string, create: () => T): T {
        if (!shared.has(key)) shared.set(key, create());
        return shared.get(key) as T;
      },
    };
  }
  const pluginSources = { plugins, pluginOptions, env, logger, contextFor };

  async function open(): Promise<void> {
    if (folder !== undefined) await requireFolder(folder);
    transports = await openPlugins(pluginSources, settings.transport);
    upgrades = createUpgrades(socketRoutesOf(transports), access, sessions, logger, metrics.refused);
    const routes = new Router();
    addHealthRoutes(routes, sessions);
    addStatusRoute(routes, transports);
    addMetricsRoute(routes, metrics, access);
    addStartRoute(routes, transports, settings.transport, sessions, apiKey);
    refuseUnknownSessions(routes, sessions, apiKey);
    addSessionsRoutes(routes, sessions, access);
    addPluginRoutes(routes, transports, apiKey);
    answerBySessions(routes, sessions);
    if (folder !== undefined) serveFolder(routes, folder, access);
    if (clientRoot !== undefined) serveClientFiles(routes, clientRoot);
    app.use(router.routes()).use(routes.routes()).use(routes.allowedMethods());
    metrics.start();
    listeners = await openListeners(settings.host, settings.port, app.callback(), upgrades.attach);
  }

  /** The plugins first: they may want to say goodbye on their own sockets. */
  async function release(): Promise<void> {
    metrics.stop();
    await closePlugins(transports, logger);
    await Promise.all([upgrades?.close(), listeners?.close()]);
  }

  async function shutDown(): Promise<void> {
    // Whether it opened is for whoever called listen() to know.
    await opening?.catch(() => undefined);
    await sessions.shutDown(shutDownMs);
    await release();
  }

  async function drain(): Promise<void> {
    await opening?.catch(() => undefined);
    if (!(await settledWithin(settings.shutdownTimeoutMs, sessions.drain()))) {
      logger.warn(`${sessions.counts.active} sessions still run at the end of the shutdown timeout: ending them`);
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
    sessions,
    get transports() {
      return transports.map(({ name, availability, selectable, open }) => {
        return { name, availability, selectable, banner: open?.banner?.() ?? [] };
      });
    },
    get openToAll() {
      return listeners ? openToAll(settings, accessOptions, folder, transports) : [];
    },
    get url() {
      if (!listeners) throw new Error("The runner has no URL before listen().");
      return new URL(listeners.url);
    },
    listen() {
      if (closing) return Promise.reject(new Error("The runner is closed: make another one."));
      opening ??= open().catch(async (error: unknown) => {
        await release();
        throw error;
      });
      return opening;
    },
    async direct(name) {
      serving = false;
      try {
        transports = await openPlugins(pluginSources, name);
        await findDirect(transports, name).direct();
      } finally {
        await close();
      }
    },
    drain() {
      draining ??= drain();
      return draining;
    },
    close,
  };
}
