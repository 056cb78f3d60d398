import type { Router } from "@koa/router";
import type { ApiKey } from "./api-key.ts";
import type { Metrics } from "./metrics.ts";

/** `/metrics`: what Prometheus scrapes; with the key as its bearer token, where there is one. */
export function addMetricsRoute(router: Router, metrics: Metrics, apiKey: ApiKey): void {
  router.get("/metrics", async (ctx) => {
    apiKey.require(ctx.req);
    ctx.body = await metrics.text();
    ctx.set("Content-Type", metrics.contentType);
  });
}
