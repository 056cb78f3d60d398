import type { Router } from "@koa/router";
import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { HostSession } from "@pipecat-ts/runner-sessions";
import type { Context } from "koa";
import { type AccessControl, findSession } from "./access.ts";
import { readBody, startBodyOf } from "./bodies.ts";
import type { Cloud } from "./cloud.ts";
import type { Metrics } from "./metrics.ts";
import { type OpenApiOptions, openApiRoutes } from "./openapi.ts";
import { chooseTransport, type InstalledTransport, isStartable } from "./plugins.ts";
import { addRoute, type HostRoute, httpMethods, type TaggedRoute } from "./route.ts";
import { downloadRoutes, type FileSender } from "./static-files.ts";
import { type UploadRouteOptions, uploadRoutes } from "./uploads.ts";

/** What the routes of a runner need. */
export interface RouteOptions extends UploadRouteOptions, Omit<OpenApiOptions, "routes"> {
  /** The only transport that callers may use. */
  readonly restrictedTo: string | undefined;
  readonly metrics: Metrics;
  readonly access: AccessControl;
  readonly downloadsFolder: string | undefined;
  readonly sendFrom: FileSender;
  readonly cloud: Cloud | undefined;
  /** Whether `/status?problems` tells operators which settings are missing. */
  readonly showsProblems: boolean;
  /** Whether everything is loaded that first calls need. */
  isWarm(): boolean;
  /** The types of client messages that the bot of a session has listeners for. */
  handledBy(session: HostSession): readonly string[];
}

/** Adds all routes but the client, in their order of precedence. Each checks access before it reads a body. */
export function addRoutes(router: Router, options: RouteOptions): void {
  const { transports, access, cloud } = options;
  const own = [
    ...(cloud ? [cloud.route(options)] : []),
    ...healthRoutes(options),
    startRoute(options),
    ...sessionRoutes(options),
    ...uploadRoutes(options),
    ...downloadRoutes(options.downloadsFolder, options.sendFrom),
  ].map((route) => ({ tag: "runner", route }));
  const plugins = transports.flatMap(({ name, open }) => (open?.routes ?? []).map((route) => ({ tag: name, route })));
  const all: readonly TaggedRoute[] = [...own, ...openApiRoutes({ ...options, routes: () => all }), ...plugins];
  addSessionCheck(router, options);
  for (const { route } of all) addRoute(router, route, access);
  addBotRoutes(router, options);
}

/**
 * `/livez`: the process answers. `/readyz`: it takes new callers, 503 while it starts or drains. `/status`: what `/start` can choose, and with
 * `?problems`, for operators, what the transports lack. `/metrics`.
 */
function healthRoutes({ transports, engine, metrics, access, showsProblems, isWarm }: RouteOptions): HostRoute[] {
  return [
    {
      method: "GET",
      path: "/livez",
      access: "open",
      summary: "Whether the process answers",
      handle(ctx) {
        ctx.body = { status: "ok" };
      },
    },
    {
      method: "GET",
      path: "/readyz",
      access: "open",
      summary: "Whether new callers are accepted; 503 while starting or draining",
      handle(ctx) {
        if (engine.draining) engine.assertAccepting();
        if (!isWarm())
          throw new RunnerError("STARTING", "The runner loads what the first call needs.", { fix: "Try again." });
        ctx.body = { status: "ok" };
      },
    },
    {
      method: "GET",
      path: "/status",
      access: "open",
      summary: "The transports that /start can choose; with ?problems, also their missing settings",
      handle(ctx) {
        const names = transports.filter(isStartable).map(({ name }) => name);
        const asked = showsProblems && ctx.query.problems !== undefined && access.isOperator(ctx.req);
        ctx.body = { status: "ready", transports: names, ...(asked && { problems: problemsOf(transports) }) };
      },
    },
    {
      method: "GET",
      path: "/metrics",
      access: "operator",
      summary: "Metrics for Prometheus",
      async handle(ctx) {
        ctx.body = await metrics.text();
        ctx.set("Content-Type", metrics.contentType);
      },
    },
  ];
}

/** What keeps transports from running, or limits them: missing settings, and how to set them. */
function problemsOf(transports: readonly InstalledTransport[]) {
  return transports.flatMap(({ name, availability, excluded }) => {
    if (excluded || availability.state === "ready") return [];
    const { reason, fix } = availability;
    return [{ name, reason, fix }];
  });
}

/** `POST /start`. Any content type but multipart counts as JSON, because curl sends JSON as a form unless told otherwise. */
function startRoute({ transports, restrictedTo, engine, files, url }: RouteOptions): HostRoute {
  const names = transports.filter(isStartable).map(({ name }) => name);
  const named = names.length > 0 ? { enum: names } : {};
  const schema = { type: "object", properties: { transport: named, body: {} } };
  return {
    method: "POST",
    path: "/start",
    access: "caller",
    summary: "Starts a session. The reply depends on the transport; transports may read further fields",
    bodyAs: "json",
    body: { type: "application/json", schema, required: false },
    async handle(ctx) {
      const body = startBodyOf(ctx);
      const transport = chooseTransport(body, transports, restrictedTo);
      engine.assertAccepting();
      const reply = await transport.start({ body, request: ctx.req });
      ctx.set("X-Session-Id", reply.sessionId);
      ctx.body = reply.body;
      if (!reply.extensible || files === undefined) return;
      // Without the origin, as in Pipecat's own runner: clients resolve it against the URL of /start.
      const { pathname } = url(`/sessions/${reply.sessionId}/files`, ctx.req);
      ctx.body = { ...reply.body, fileUploadUrl: pathname };
    },
  };
}

/** Below `/sessions/{id}`, nothing is answered without the key, or for a session that is not live. */
function addSessionCheck(router: Router, { engine, access }: RouteOptions): void {
  router.register("/sessions/:sessionId{/*path}", [...httpMethods], (ctx, next) => {
    access.requireKey(ctx.req);
    findSession(engine, ctx.params.sessionId ?? "");
    return next();
  });
}

/**
 * `GET /sessions` lists live sessions, `GET /sessions/{id}` describes one, `DELETE /sessions/{id}` ends it and answers when it has
 * ended.
 */
function sessionRoutes({ engine, handledBy }: RouteOptions): HostRoute[] {
  return [
    {
      method: "GET",
      path: "/sessions",
      access: "operator",
      summary: "Lists live sessions",
      handle(ctx) {
        ctx.body = { sessions: [...engine].filter(({ state }) => state !== "ended").map(report) };
      },
    },
    {
      method: "GET",
      path: "/sessions/:sessionId",
      access: "caller",
      summary: "Describes a session, with the types of RTVI messages that its bot handles",
      handle(ctx) {
        const session = findSession(engine, ctx.params.sessionId ?? "");
        ctx.body = { ...report(session), handles: handledBy(session) };
      },
    },
    {
      method: "DELETE",
      path: "/sessions/:sessionId",
      access: "caller",
      summary: "Ends a session, and answers when it has ended",
      async handle(ctx) {
        const session = findSession(engine, ctx.params.sessionId ?? "");
        await session.end("ended-by-request");
        ctx.body = { ...report(session), reason: await session.ended };
      },
    },
  ];
}

/** Describes a session, without its body and its caller's data. Times are in ISO 8601 or ms. */
function report({ id, transport, state, startedAt }: HostSession): Readonly<Record<string, unknown>> {
  const durationMs = Math.max(0, Date.now() - startedAt.getTime());
  return { sessionId: id, transport, state, startedAt: startedAt.toISOString(), durationMs };
}

/** Requests below `/sessions/{id}` that no transport answered go to the bot. */
function addBotRoutes(router: Router, { engine }: RouteOptions): void {
  router.register(
    "/sessions/:sessionId{/*path}",
    [...httpMethods],
    [
      readBody(),
      async (ctx: Context & { params: Record<string, string> }) => {
        ctx.params.path ??= "";
        await answerByBot(findSession(engine, ctx.params.sessionId ?? ""), ctx);
      },
    ],
  );
}

/** Calls the bot's handlers in order, until one answers. A handler that never does is abandoned with its session. */
async function answerByBot(session: HostSession, ctx: Context): Promise<void> {
  for (const handler of [...session.requestHandlers]) {
    const handled = (async () => await session.inScope(() => handler(ctx)))();
    if (!(await withTimeout(handled, session.signal))) {
      throw new RunnerError("CALL_ENDED", "The session ended before its bot answered.");
    }
    await handled;
    if (ctx.body !== undefined || ctx.status !== 404 || ctx.respond === false) return;
  }
}

/**
 * The routes that anyone who reaches the server can use, for the banner of an exposed server. They include carriers' webhooks that
 * nothing verifies.
 */
export function unauthenticatedRoutes(
  { apiKey, webSocketAuth }: { readonly apiKey: string | undefined; readonly webSocketAuth: string },
  serves: { readonly downloads: boolean; readonly uploads: boolean },
  transports: readonly InstalledTransport[],
): readonly string[] {
  const opened = transports.flatMap(({ open }) => open ?? []);
  const routes = opened.flatMap((open) => open.routes ?? []);
  const sockets = opened.flatMap((open) => open.sockets ?? []);
  const isUnauthenticated = (access: string) => access === "caller" && apiKey === undefined;
  return [
    ...(apiKey === undefined ? ["POST /start", "/sessions", "/metrics", "/openapi.json"] : []),
    ...(apiKey === undefined && serves.downloads ? ["GET /files"] : []),
    ...(apiKey === undefined && serves.uploads ? ["POST /files"] : []),
    ...routes
      .filter(({ access, acceptsUnverified }) => isUnauthenticated(access) || acceptsUnverified === true)
      .map(({ method, path }) => `${[method].flat()[0]} ${path}`),
    ...sockets
      .filter(({ access }) => webSocketAuth === "none" && apiKey === undefined && access !== "open")
      .map(({ path }) => `WS ${path}`),
  ].filter((path, index, all) => all.indexOf(path) === index && !/^[A-Z]+ \/sessions/.test(path));
}
