import type { Router } from "@koa/router";
import {
  type HttpRoute,
  type RouteContext,
  type RunnerContext,
  RunnerError,
  withTimeout,
} from "@pipecat-ts/runner-core";
import type { HostSession } from "@pipecat-ts/runner-sessions";
import type { Context, Next } from "koa";
import { type AccessControl, findSession } from "./access.ts";
import { checkBody, readBody, startBodyOf } from "./bodies.ts";
import type { Metrics } from "./metrics.ts";
import { chooseTransport, type InstalledTransport, isStartable } from "./plugins.ts";
import { addUploadRoutes, type UploadRouteOptions } from "./uploads.ts";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** What the routes of a runner need. */
export interface RouteOptions extends UploadRouteOptions {
  readonly transports: readonly InstalledTransport[];
  /** The only transport that callers may use. */
  readonly restrictedTo: string | undefined;
  readonly metrics: Metrics;
  readonly url: RunnerContext["url"];
}

/** Adds all routes but files, in their order of precedence. Each checks access before it reads a body. */
export function addRoutes(router: Router, options: RouteOptions): void {
  addHealthRoutes(router, options);
  addStartRoute(router, options);
  addSessionRoutes(router, options);
  addUploadRoutes(router, options);
  for (const { open } of options.transports) {
    for (const route of open?.routes ?? []) addPluginRoute(router, route, options.access);
  }
  addBotRoutes(router, options);
}

/** `/livez`: the process answers. `/readyz`: it takes new callers, 503 while it drains. `/status`: what `/start` can choose. `/metrics`. */
function addHealthRoutes(router: Router, { transports, engine, access, metrics }: RouteOptions): void {
  router.get("/livez", (ctx) => {
    ctx.body = { status: "ok" };
  });
  router.get("/readyz", (ctx) => {
    if (engine.draining) engine.assertAccepting();
    ctx.body = { status: "ok" };
  });
  router.get("/status", (ctx) => {
    ctx.body = { status: "ready", transports: transports.filter(isStartable).map(({ name }) => name) };
  });
  router.get("/metrics", async (ctx) => {
    access.requireOperator(ctx.req);
    ctx.body = await metrics.text();
    ctx.set("Content-Type", metrics.contentType);
  });
}

/** `POST /start`. Any content type but multipart counts as JSON, because curl sends JSON as a form unless told otherwise. */
function addStartRoute(router: Router, options: RouteOptions): void {
  const { transports, restrictedTo, engine, access, fileStorage, url } = options;
  const requireKey = keyCheck(access);
  router.post("/start", requireKey, readBody({ as: "json" }), async (ctx) => {
    const body = startBodyOf(ctx);
    const transport = chooseTransport(body, transports, restrictedTo);
    engine.assertAccepting();
    const reply = await transport.start({ body, request: ctx.req });
    ctx.set("X-Session-Id", reply.sessionId);
    ctx.body = reply.body;
    if (!reply.extensible || fileStorage === undefined) return;
    // Without the origin, as in Pipecat's own runner: clients resolve it against the URL of /start.
    const { pathname } = url(`/sessions/${reply.sessionId}/files`, ctx.req);
    ctx.body = { ...reply.body, fileUploadUrl: pathname };
  });
}

/**
 * `GET /sessions` lists live sessions, `GET /sessions/{id}` describes one, `DELETE /sessions/{id}` ends it and answers when it has
 * ended. Below `/sessions/{id}`, nothing is answered without the key, or for a session that is not live.
 */
function addSessionRoutes(router: Router, { engine, access }: RouteOptions): void {
  router.register("/sessions/:sessionId{/*path}", methods, (ctx, next) => {
    access.requireKey(ctx.req);
    findSession(engine, ctx.params.sessionId ?? "");
    return next();
  });
  router.get("/sessions", (ctx) => {
    access.requireOperator(ctx.req);
    ctx.body = { sessions: [...engine].filter(({ state }) => state !== "ended").map(report) };
  });
  router.get("/sessions/:sessionId", (ctx) => {
    ctx.body = report(findSession(engine, ctx.params.sessionId ?? ""));
  });
  router.delete("/sessions/:sessionId", async (ctx) => {
    const session = findSession(engine, ctx.params.sessionId ?? "");
    await session.end("ended-by-request");
    ctx.body = { ...report(session), reason: await session.ended };
  });
}

/** Describes a session, without its body and its caller's data. Times are in ISO 8601 or ms. */
function report({ id, transport, state, startedAt }: HostSession): Readonly<Record<string, unknown>> {
  const durationMs = Math.max(0, Date.now() - startedAt.getTime());
  return { sessionId: id, transport, state, startedAt: startedAt.toISOString(), durationMs };
}

/** Several plugins may have one path: each passes on, with `next()`, the requests that are not meant for it. */
function addPluginRoute(router: Router, route: HttpRoute, access: AccessControl): void {
  const { path, schema, maxBody } = route;
  const handle = (ctx: unknown, next: Next) => {
    const context = ctx as RouteContext;
    if (schema) checkBody(schema, context.request.body);
    return route.handle(context, next);
  };
  const checks = route.access === "caller" ? [keyCheck(access)] : [];
  router.register(path, [route.method].flat(), [...checks, readBody({ maxBody }), handle]);
}

function keyCheck({ requireKey }: AccessControl) {
  return (ctx: Context, next: Next) => {
    requireKey(ctx.req);
    return next();
  };
}

/** Requests below `/sessions/{id}` that no transport answered go to the bot. */
function addBotRoutes(router: Router, { engine }: RouteOptions): void {
  router.register("/sessions/:sessionId{/*path}", methods, [
    readBody(),
    async (ctx: Context & { params: Record<string, string> }) => {
      ctx.params.path ??= "";
      await answerByBot(findSession(engine, ctx.params.sessionId ?? ""), ctx);
    },
  ]);
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
    ...(apiKey === undefined ? ["POST /start", "/sessions", "/metrics"] : []),
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
