import type { Router } from "@koa/router";
import type { RunnerContext } from "@pipecat-ts/runner-core";
import { createOpenApi, docsPage, docsPolicy, type OpenApiRoute } from "@pipecat-ts/runner-openapi";
import type { InstalledTransport } from "./plugins.ts";
import { type HostRoute, httpMethods, type TaggedRoute } from "./route.ts";

export interface OpenApiOptions {
  readonly transports: readonly InstalledTransport[];
  /** All routes, these included. */
  routes(): readonly TaggedRoute[];
  readonly url: RunnerContext["url"];
  /** Whether the runner has an API key. */
  readonly requiresKey: boolean;
  /** `Runner.router`. */
  readonly userRouter: Router;
}

/**
 * `/openapi.json` describes the routes of this runner, `/docs` shows the description. The page itself has no information about the
 * runner, so it needs no key.
 */
export function openApiRoutes({ transports, routes, url, requiresKey, userRouter }: OpenApiOptions): TaggedRoute[] {
  const describe = ({ tag, route }: TaggedRoute): OpenApiRoute => ({
    tag,
    ...route,
    body: route.body ?? (route.schema && { type: "application/json", schema: route.schema }),
  });
  const openApi: HostRoute = {
    method: "GET",
    path: "/openapi.json",
    access: "operator",
    summary: "This description, in OpenAPI 3.1",
    handle(ctx) {
      const sockets = transports.flatMap(({ name, open }) =>
        (open?.sockets ?? []).map(({ path }) => ({ tag: name, path })),
      );
      const described = [...routes().map(describe), ...routesOf(userRouter)];
      ctx.body = createOpenApi({ routes: described, sockets, requiresKey, url: url("/", ctx.req) });
    },
  };
  const docs: HostRoute = {
    method: "GET",
    path: "/docs",
    access: "open",
    summary: "A page that shows this description",
    handle(ctx) {
      // The page finds the description beside it.
      if (ctx.path.endsWith("/")) return ctx.redirect("../docs");
      ctx.type = "html";
      ctx.set({ "Content-Security-Policy": docsPolicy, "X-Content-Type-Options": "nosniff" });
      ctx.body = docsPage;
    },
  };
  return [openApi, docs].map((route) => ({ tag: "runner", route }));
}

/** Routes that the program added to `Runner.router`. */
function routesOf({ stack }: Router): OpenApiRoute[] {
  return stack.flatMap(({ path, methods }) => {
    if (typeof path !== "string") return []; // A regular expression.
    const method = httpMethods.filter((each) => methods.includes(each));
    return method.length === 0 ? [] : [{ tag: "server", method, path }];
  });
}
