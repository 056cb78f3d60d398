import { readFile, stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import type { Router } from "@koa/router";
import type { Context } from "koa";

/** Files as they were read, by path; `etag` tells whether they still are what they were. */
type ReadFiles = Map<string, { readonly etag: string; readonly bytes: Promise<Buffer> }>;

/** Some file systems know a file by many names. */
const maxFiles = 100;

/**
 * Serves the built web client at `/client/`, and sends `/` there unless a route before this one answered it. What Vite
 * put a hash into the name of is cached for good, the rest is asked for again each time.
 *
 * A file is kept in memory once it was asked for: a client that asks a thousand times and reads no answer would cost a
 * thousand open files otherwise.
 */
export function serveClientFiles(router: Router, root: string): void {
  const files: ReadFiles = new Map();
  const toClient = (ctx: Context) => {
    ctx.status = 307;
    ctx.redirect(`/client/${ctx.search}`);
  };
  router.get("/", toClient);
  router.get("/client", (ctx, next) => (ctx.path.endsWith("/") ? next() : toClient(ctx)));
  router.get("/client{/*path}", (ctx) => serveFile(ctx, files, resolve(root), ctx.params.path || "index.html"));
}

async function serveFile(ctx: Context, files: ReadFiles, root: string, path: string): Promise<void> {
  const file = join(root, path);
  if (!file.startsWith(root + sep) || path.includes("\0")) return;
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) return;
  const etag = `W/"${found.size.toString(36)}-${found.mtime.getTime().toString(36)}"`;
  const hashed = /^assets\/.*-[\w-]{8,}\.\w+$/.test(path);
  ctx.status = 200;
  ctx.type = extname(file);
  ctx.lastModified = found.mtime;
  ctx.etag = etag;
  ctx.set("Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
  ctx.set("X-Content-Type-Options", "nosniff");
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  ctx.body = await read(files, file, etag);
}

function read(files: ReadFiles, file: string, etag: string): Promise<Buffer> {
  const kept = files.get(file);
  if (kept?.etag === etag) return kept.bytes;
  if (files.size >= maxFiles) files.clear();
  const bytes = readFile(file);
  files.set(file, { etag, bytes });
  bytes.catch(() => files.delete(file));
  return bytes;
}
