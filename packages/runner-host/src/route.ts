import type { Router } from "@koa/router";
import type { HttpMethod, HttpRoute, RouteContext } from "@pipecat-ts/runner-core";
import type { OpenApiRoute } from "@pipecat-ts/runner-openapi";
import type { Context, Next } from "koa";
import type { AccessControl } from "./access.ts";
import { checkBody, readBody } from "./bodies.ts";

export const httpMethods: readonly HttpMethod[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** A route of the host or of a plugin. */
export interface HostRoute extends Omit<HttpRoute, "access"> {
  /** `operator`: it concerns other callers, see `AccessControl.requireOperator`. */
  readonly access: HttpRoute["access"] | "operator";
  /** Parse any content type but multipart as JSON. */
  readonly bodyAs?: "json";
  /** The body for `/openapi.json`, where `schema` does not describe it. */
  readonly body?: OpenApiRoute["body"];
}

export interface TaggedRoute {
  /** The name of the transport, or `runner`. */
  readonly tag: string;
  readonly route: HostRoute;
}

/** Several plugins may have one path: each passes on, with `next()`, the requests that are not meant for it. */
export function addRoute(
  router: Router,
  route: HostRoute,
  access: Pick<AccessControl, "requireKey" | "requireOperator">,
): void {
  const { path, schema, maxBody, bodyAs } = route;
  const handle = (ctx: unknown, next: Next) => {
    const context = ctx as RouteContext;
    if (schema) checkBody(schema, context.request.body);
    return route.handle(context, next);
  };
  const check = (ctx: Context, next: Next) => {
    if (route.access === "caller") access.requireKey(ctx.req);
    if (route.access === "operator") access.requireOperator(ctx.req);
    return next();
  };
  router.register(path, [route.method].flat(), [check, readBody({ maxBody, as: bodyAs }), handle]);
}
