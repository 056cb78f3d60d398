import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import type { Router } from "@koa/router";
import type { Context } from "koa";

/**
 * Serves the built web client at `/client/`, and sends `/` there unless a route before this one answered it. What Vite
 * put a hash into the name of is cached for good, the rest is asked for again each time.
 */
export function serveClientFiles(router: Router, root: string): void {
  const toClient = (ctx: Context) => {
    ctx.status = 307;
    ctx.redirect(`/client/${ctx.search}`);
  };
  router.get("/", toClient);
  router.get("/client", (ctx, next) => (ctx.path.endsWith("/") ? next() : toClient(ctx)));
  router.get("/client{/*path}", (ctx) => serveFile(ctx, resolve(root), ctx.params.path || "index.html"));
}

async function serveFile(ctx: Context, root: string, path: string): Promise<void> {
  const file = join(root, path);
  if (!file.startsWith(root + sep) || path.includes("\0")) return;
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) return;
  const hashed = /^assets\/.*-[\w-]{8,}\.\w+$/.test(path);
  ctx.status = 200;
  ctx.type = extname(file);
  ctx.lastModified = found.mtime;
  ctx.etag = `W/"${found.size.toString(36)}-${found.mtime.getTime().toString(36)}"`;
  ctx.set("Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
  ctx.set("X-Content-Type-Options", "nosniff");
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  ctx.body = createReadStream(file);
  ctx.length = found.size;
}
