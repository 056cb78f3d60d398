import type { Router } from "@koa/router";
import { type HttpRoute, type RouteContext, RunnerError, type SocketRoute } from "@pipecat-ts/runner-core";
import type { ApiKey } from "./api-key.ts";
import { refuseInvalidBody } from "./body-schema.ts";
import type { InstalledTransport } from "./installed-transport.ts";

/** Adds the transports' HTTP routes. Several may have one path: each passes on, by `next()`, what is not for it. */
export function addPluginRoutes(router: Router, transports: readonly InstalledTransport[], apiKey: ApiKey): void {
  for (const { open } of transports) for (const route of open?.routes ?? []) addRoute(router, route, apiKey);
}

function addRoute(router: Router, route: HttpRoute, apiKey: ApiKey): void {
  router.register(route.path, [route.method].flat(), (ctx, next) => {
    const context = ctx as unknown as RouteContext;
    if (route.access === "caller") apiKey.require(ctx.req);
    if (route.schema) refuseInvalidBody(route.schema, context.request.body);
    return route.handle(context, next);
  });
}

/** The transports' WebSocket paths; one that several share, as the same object, counts once. Throws PLUGIN_INVALID. */
export function socketRoutesOf(transports: readonly InstalledTransport[]): SocketRoute[] {
  const byPath = new Map<string, SocketRoute>();
  for (const { name, open } of transports) {
    for (const route of open?.sockets ?? []) {
      const taken = byPath.get(route.path);
      if (taken && taken !== route) {
        throw new RunnerError("PLUGIN_INVALID", `"${name}" wants the WebSocket path ${route.path}, which is taken.`, {
          fix: "Give transports that share a path one route object, kept with runner.shared(…).",
        });
      }
      byPath.set(route.path, route);
    }
  }
  return [...byPath.values()];
}
