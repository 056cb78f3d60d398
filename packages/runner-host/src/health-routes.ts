import type { Router } from "@koa/router";
import type { SessionRegistry } from "./sessions.ts";

/** `/livez`: the process answers. `/readyz`: it takes new callers, 503 once it drains. */
export function addHealthRoutes(router: Router, sessions: SessionRegistry): void {
  router.get("/livez", (ctx) => {
    ctx.body = { status: "ok" };
  });
  router.get("/readyz", (ctx) => {
    if (sessions.draining) sessions.refuseWhenFull();
    ctx.body = { status: "ok" };
  });
}
