import type { IncomingMessage } from "node:http";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { Context, Middleware, Next } from "koa";
import { readOn } from "./read-on.ts";

/** The largest request body that is taken, in bytes. */
export const maxBodyBytes: number = 1024 * 1024;

/**
 * Reads every request's body: the bytes as they came into `ctx.request.rawBody`, what JSON, a form or text means into
 * `ctx.request.body`, both undefined without one. Leaves multipart bodies unread, for a route that wants uploads.
 */
export function readBody(): Middleware {
  return async (ctx: Context, next: Next) => {
    // null: no body; false: a body of another type.
    if (ctx.is() !== null && !ctx.is("multipart/*")) {
      const raw = await readBytes(ctx);
      Object.assign(ctx.request, { rawBody: raw, body: parseBody(ctx, raw) });
    }
    await next();
  };
}

/** What these bytes mean as JSON, undefined when there are none. Throws BODY_INVALID. */
export function parseJson(raw: Buffer | undefined): unknown {
  const text = decode(raw);
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RunnerError("BODY_INVALID", `The body is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}

function parseBody(ctx: Context, raw: Buffer): unknown {
  if (ctx.is("json", "+json")) return parseJson(raw);
  if (ctx.is("urlencoded")) return Object.fromEntries(new URLSearchParams(decode(raw)));
  return ctx.is("text/*") ? decode(raw) : undefined;
}

function decode(raw: Buffer | undefined): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (cause) {
    throw new RunnerError("BODY_INVALID", "The body is not UTF-8 text.", { cause });
  }
}

async function readBytes({ req, res }: Context): Promise<Buffer> {
  try {
    return await collect(req);
  } catch (error) {
    readOn(req, res);
    throw error;
  }
}

async function collect(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new RunnerError("REQUEST_INVALID", "A compressed body is not taken.", {
      status: 415,
      fix: "Send it without Content-Encoding.",
    });
  }
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += chunk.length;
      if (bytes > maxBodyBytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new RunnerError("REQUEST_INVALID", "The request ended before its body did.", { cause });
  }
  if (bytes <= maxBodyBytes) return Buffer.concat(chunks, bytes);
  throw tooLarge();
}

function tooLarge(): RunnerError {
  return new RunnerError("BODY_TOO_LARGE", `The body is larger than ${maxBodyBytes} bytes.`, {
    fix: "Send large data to the bot by a route of its own.",
  });
}
