import type { Router } from "@koa/router";
import type { AccessControl } from "./access-control.ts";
import type { Metrics } from "./metrics.ts";

/** `/metrics`: what Prometheus scrapes; with the key as its bearer token, where there is one. */
export function addMetricsRoute(router: Router, metrics: Metrics, access: AccessControl): void {
  router.get("/metrics", async (ctx) => {
    access.requireOperator(ctx.req);
    ctx.body = await metrics.text();
    ctx.set("Content-Type", metrics.contentType);
  });
}
