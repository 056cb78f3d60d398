import cors from "@koa/cors";
import type { Middleware } from "koa";

/**
 * Lets pages of any origin call this server, without credentials: what a session's caller may do, it may by knowing the
 * session's id.
 */
export function allowOrigins(): Middleware {
  return cors({
    origin: "*",
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposeHeaders: ["X-Session-Id"],
    maxAge: 600,
  });
}
