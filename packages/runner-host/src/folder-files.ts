import { constants, type ReadStream } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import type { Router } from "@koa/router";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { Context } from "koa";
import { parse } from "range-parser";
import type { AccessControl } from "./access-control.ts";

/** How many files are sent at once: each is open until its client has read it. */
const maxOpen = 100;

/** How long a client may read nothing of its file. */
const patienceMs = 30_000;

/**
 * Lets whoever may start sessions download the files in a folder, at `/files/{path}`, whole or in one range. Nothing outside
 * of the folder is answered for, neither by the path nor by a link; that, a folder, and what is not there are all 404.
 */
export function serveFolder(
  router: Router,
  folder: string,
  access: Pick<AccessControl, "requireOperator">,
  stalledMs: number = patienceMs,
): void {
  let openFiles = 0;
  router.get("/files/*path", async (ctx) => {
    access.requireOperator(ctx.req);
    const file = await findInside(folder, ctx.params.path ?? "");
    if (file === undefined) return;
    if (openFiles >= maxOpen) {
      throw new RunnerError("AT_CAPACITY", `${maxOpen} files are being downloaded already.`, {
        fix: "Try again in a moment.",
      });
    }
    openFiles += 1;
    // Kept from blocking where the file turns out to be a pipe.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
    const closed = () => {
      openFiles -= 1;
    };
    if (handle === undefined) return closed();
    let stream: ReadStream | undefined;
    try {
      stream = await sendFile(ctx, handle, basename(file), stalledMs);
      stream?.once("close", closed);
    } finally {
      if (!stream) await handle.close().finally(closed);
    }
  });
}

/** Rejects with OPTION_INVALID when there is no such folder. */
export async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new RunnerError("OPTION_INVALID", `--folder is "${folder}", which is no folder.`, {
    fix: "Make it, name another, or leave it out.",
  });
}

/** The real path of what lies in the folder under this path; undefined when it does not, or is not there. */
async function findInside(folder: string, path: string): Promise<string | undefined> {
  if (path.includes("\0")) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(join(root, path));
    return file.startsWith(root.endsWith(sep) ? root : root + sep) ? file : undefined;
  } catch {
    return undefined; // not there, or a path that no file can have
  }
}

/** Answers with the file; what it is sent by, and closed by, where it is. */
async function sendFile(
  ctx: Context,
  handle: FileHandle,
  name: string,
  stalledMs: number,
): Promise<ReadStream | undefined> {
  const found = await handle.stat();
  if (!found.isFile()) return undefined;
  const { size, mtime } = found;
  const etag = `"${size.toString(36)}-${mtime.getTime().toString(36)}"`;
  ctx.status = 200;
  // Downloaded and not shown: a page among the files would be one of this server's own.
  ctx.attachment(name);
  ctx.lastModified = mtime;
  ctx.etag = etag;
  ctx.set({ "Accept-Ranges": "bytes", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff" });
  if (ctx.fresh) {
    ctx.status = 304;
    return undefined;
  }
  const range = rangeOf(ctx, size, etag);
  if (range === "unsatisfiable") {
    ctx.status = 416;
    ctx.set("Content-Range", `bytes */${size}`);
    ctx.body = "";
    return undefined;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range) {
    ctx.status = 206;
    ctx.set("Content-Range", `bytes ${start}-${end}/${size}`);
  }
  if (ctx.method === "HEAD" || size === 0) {
    if (size === 0) ctx.body = "";
    ctx.length = end - start + 1;
    return undefined;
  }
  const stream = handle.createReadStream({ start, end });
  ctx.res.setTimeout(stalledMs, () => ctx.res.destroy());
  ctx.body = stream;
  ctx.length = end - start + 1;
  return stream;
}

/** The one range that is asked for. Several, or what is no range, are answered by the whole file, as RFC 9110 allows. */
function rangeOf(
  ctx: Context,
  size: number,
  etag: string,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const header = ctx.get("Range");
  const condition = ctx.get("If-Range");
  if (header === "" || header.length > 100 || size === 0 || (condition !== "" && condition !== etag)) return undefined;
  const { code, type, ranges } = parse(size, header);
  if (type !== "bytes" || (code & 1) === 1 || ranges.length > 1) return undefined;
  return ranges[0] ?? "unsatisfiable";
}
