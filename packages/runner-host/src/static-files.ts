import type { ReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, extname, join, sep } from "node:path";
import type { Router } from "@koa/router";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { Context } from "koa";
import send from "send";
import type { HostRoute } from "./route.ts";

/** Files that are sent at once: each stays open until its client has read it. */
const maxOpenFiles = 100;
/** How long a client may stop reading a file, in ms. */
const defaultStallMs = 30_000;

/** Sends files of one runner. Resolves with whether the file exists. */
export type FileSender = (ctx: Context, folder: string, path: string, headers?: FileHeaders) => Promise<boolean>;

type FileHeaders = Readonly<Record<string, string>>;

/**
 * Sends a file of a folder, whole or in one range, with conditional requests. Sends nothing when the file does not exist. Files
 * outside the folder (also behind links), dotfiles, folders and devices count as missing.
 */
export function createFileSender(stallMs: number = defaultStallMs): FileSender {
  let openFiles = 0;
  return async (ctx, folder, path, headers = {}) => {
    const file = await findFile(folder, path);
    if (file === undefined) return false;
    if (openFiles >= maxOpenFiles) {
      throw new RunnerError("AT_CAPACITY", `${maxOpenFiles} files are being sent already.`, {
        fix: "Try again in a moment.",
      });
    }
    openFiles += 1;
    try {
      ctx.res.setTimeout(stallMs, () => ctx.res.destroy());
      await sendFile(ctx, file, { "X-Content-Type-Options": "nosniff", ...headers });
      return true;
    } finally {
      openFiles -= 1;
    }
  };
}

/** Resolves when the response is closed. */
function sendFile(ctx: Context, file: { root: string; name: string }, headers: FileHeaders): Promise<void> {
  return new Promise((resolve, reject) => {
    if (ctx.res.closed) return resolve(); // The client left while the file was searched.
    const stream = send(ctx.req, encodeURI(`/${file.name}`), {
      root: file.root,
      dotfiles: "ignore",
      cacheControl: false,
    });
    stream.on("headers", () => ctx.set(headers));
    stream.on("stream", (file: ReadStream) => {
      file.once("end", () => {
        // The file became shorter. The client would take the next response on this connection for the rest of it.
        if (file.bytesRead < Number(ctx.res.getHeader("content-length"))) ctx.res.destroy();
      });
    });
    stream.on("error", (cause: Error & { status?: number; headers?: Readonly<Record<string, string>> }) => {
      ctx.respond = true;
      ctx.res.statusCode = 404;
      if (cause.status !== 416) return cause.status === 404 ? resolve() : reject(cause);
      ctx.set(cause.headers ?? {});
      reject(new RunnerError("REQUEST_INVALID", "The requested range is outside of the file.", { status: 416 }));
    });
    // Koa must not answer: send writes the response itself.
    ctx.respond = false;
    ctx.res.statusCode = 200;
    ctx.res.once("close", resolve);
    stream.pipe(ctx.res);
  });
}

async function findFile(folder: string, path: string): Promise<{ root: string; name: string } | undefined> {
  if (path.includes("\0") || path.split(/[/\\]/).some((part) => part.startsWith("."))) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(join(root, path));
    if (!file.startsWith(root.endsWith(sep) ? root : root + sep) || !(await stat(file)).isFile()) return undefined;
    return {
      root,
      name: file
        .slice(root.length)
        .replace(/^[/\\]+/, "")
        .replaceAll("\\", "/"),
    };
  } catch {
    return undefined; // The file does not exist, or the path is invalid.
  }
}

/** Rejects with OPTION_INVALID when the folder does not exist. */
export async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new RunnerError("OPTION_INVALID", `--downloads-folder: "${folder}" is not a directory.`, {
    fix: "Create it, or name another.",
  });
}

/** Lets those who may see other callers' data download the files of a folder from `/files/{path}`. */
export function downloadRoutes(folder: string | undefined, sendFrom: FileSender): HostRoute[] {
  if (folder === undefined) return [];
  return [
    {
      method: "GET",
      path: "/files/*path",
      access: "operator",
      summary: "Downloads a file of --downloads-folder",
      async handle(ctx) {
        const { path = "" } = ctx.params;
        // As a download: a page among the files would have this server's origin.
        ctx.attachment(basename(path));
        const disposition = ctx.response.get("Content-Disposition");
        ctx.remove("Content-Disposition");
        await sendFrom(ctx, folder, path, { "Content-Disposition": disposition, "Cache-Control": "no-cache" });
      },
    },
  ];
}

/** The encodings of files next to the original, the preferred one first: `index.html.br` is `index.html` in brotli. */
const encodings = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/**
 * Serves the built web client at `/client/`, and redirects `/` there unless a route before answered it. Files with a hash in
 * their name are cached forever, the others are revalidated. Browsers get the compressed files that exist.
 */
export function addClientRoutes(router: Router, root: string, sendFrom: FileSender): void {
  const toClient = (ctx: Context) => {
    ctx.status = 307;
    // Relative, because a proxy may serve the runner below a path.
    ctx.redirect(`client/${ctx.search}`);
  };
  router.get("/", toClient);
  router.get("/client", (ctx, next) => (ctx.path.endsWith("/") ? next() : toClient(ctx)));
  router.get("/client{/*path}", async (ctx) => {
    const path = ctx.params.path || "index.html";
    const hashed = /^assets\/.*-[\w-]{8,}\.\w+$/.test(path);
    const headers = {
      "Cache-Control": hashed ? "public, max-age=31536000, immutable" : "no-cache",
      Vary: "Accept-Encoding",
    };
    for (const [encoding, suffix] of encodings) {
      if (ctx.acceptsEncodings(encoding) !== encoding) continue;
      ctx.type = extname(path);
      const type = ctx.response.get("Content-Type");
      ctx.remove("Content-Type");
      const compressed = { ...headers, "Content-Encoding": encoding, "Content-Type": type };
      if (await sendFrom(ctx, root, `${path}${suffix}`, compressed)) return;
    }
    await sendFrom(ctx, root, path, headers);
  });
}
