import type * as NodeHttp from "node:http";
import { createRequire } from "node:module";
import type * as KoaRouter from "@koa/router";

// An `import` of Node's HTTP module reads all its exports, and one of them loads the code of `fetch`: up to 14 MB of memory, and 25 ms
// of processor time. `require` does not read them. The router's ES module has such an import. So a runner listens earlier, and a
// gateway, which answers few requests itself, never loads that code.

const http: typeof NodeHttp = process.getBuiltinModule("node:http");
const router: typeof KoaRouter = createRequire(import.meta.url)("@koa/router");

export const createServer: typeof NodeHttp.createServer = http.createServer;
export const statusTexts: typeof NodeHttp.STATUS_CODES = http.STATUS_CODES;

export function createRouter(): KoaRouter.Router {
  return new router.Router();
}

/** Loads the code of `fetch`. Koa needs it for its first response: it asks whether a body is a `Response`. */
export function loadFetch(): unknown {
  return Response;
}
