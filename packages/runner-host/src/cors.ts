import cors from "@koa/cors";
import type { Middleware } from "koa";
import type { Origins } from "./origins.ts";

/**
 * Lets pages of the allowed origins call this server, and read what it answers. Never with credentials: what a session's
 * caller may do, it may by the key or by knowing the session's id, and not by a cookie that a browser adds.
 */
export function allowOrigins({ restricted, allows }: Origins): Middleware {
  return cors({
    origin: restricted ? ({ req, headers }) => (allows(req) ? (headers.origin ?? "") : "") : "*",
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposeHeaders: ["X-Session-Id"],
    maxAge: 600,
  });
}
