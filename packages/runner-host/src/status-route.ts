import type { Router } from "@koa/router";
import type { InstalledTransport } from "./installed-transport.ts";

/** `/status`: which transports `/start` can choose, the one it prefers first. */
export function addStatusRoute(router: Router, transports: readonly InstalledTransport[]): void {
  router.get("/status", (ctx) => {
    ctx.body = {
      status: "ready",
      transports: transports.filter(({ selectable }) => selectable).map(({ name }) => name),
    };
  });
}
