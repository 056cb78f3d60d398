import { isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { Context, Middleware, Next } from "koa";

/** How an error is answered over HTTP. */
export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly detail: string; readonly code: string };
}

/** Our own errors as they are, those of Koa's `ctx.throw` by their status, and of anything else nothing but that it happened. */
export function errorReply(error: unknown): ErrorReply {
  const known = isRunnerError(error) ? error : fromKoa(error);
  if (!known) {
    return { status: 500, headers: {}, body: { detail: "The server failed; its log says why.", code: "INTERNAL" } };
  }
  const { status, code, message, fix } = known;
  const headers: Record<string, string> = {
    ...((status === 429 || status === 503) && { "Retry-After": "5" }),
    ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
  };
  return { status, headers, body: { detail: fix === undefined ? message : `${message} ${fix}`, code } };
}

/** Answers whatever fails below it, and what nothing answers, as JSON `{detail, code}`; tells `refused` of each. */
export function answerErrors(logger: Logger, refused: (code: string) => void): Middleware {
  return async (ctx: Context, next: Next) => {
    try {
      await next();
      refuseUnanswered(ctx);
    } catch (err) {
      const reply = errorReply(err);
      refused(reply.body.code);
      // The path is not logged: it may hold a session's token.
      const fields = { method: ctx.method, route: ctx._matchedRoute, code: reply.body.code };
      if (reply.status === 500) logger.error({ ...fields, err }, "a request failed");
      else logger.debug(fields, `a request was refused: ${reply.status}`);
      if (ctx.headerSent) {
        ctx.res.destroy();
        return;
      }
      ctx.set(reply.headers);
      ctx.status = reply.status;
      ctx.body = reply.body;
    }
  };
}

function refuseUnanswered(ctx: Context): void {
  if (ctx.respond === false || ctx.headerSent || (ctx.body !== undefined && ctx.body !== null)) return;
  const what = `${ctx.method} ${ctx.path.slice(0, 200)}`;
  if (ctx.status === 404) throw new RunnerError("NOT_FOUND", `Nothing here answers ${what}.`);
  if (ctx.status !== 405 && ctx.status !== 501) return;
  throw new RunnerError("METHOD_NOT_ALLOWED", `${what} is not possible.`, {
    fix: `Use ${ctx.response.get("Allow") || "another method"}.`,
  });
}

function fromKoa(error: unknown): { status: number; code: string; message: string; fix?: undefined } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { status, expose, message } = error as Error & { readonly status?: unknown; readonly expose?: unknown };
  if (expose !== true || typeof status !== "number" || status < 400 || status > 499) return undefined;
  const codes: Readonly<Record<number, string>> = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "BODY_TOO_LARGE",
    429: "AT_CAPACITY",
  };
  return { status, message, code: codes[status] ?? "REQUEST_INVALID" };
}
