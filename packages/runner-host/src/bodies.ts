import { isRunnerError, jsonExcess, type RouteContext, RunnerError } from "@pipecat-ts/runner-core";
import type { Context, Middleware } from "koa";
import type { TSchema } from "typebox";
import { Check, Errors } from "typebox/value";

/** Largest request body by default, in bytes. */
const defaultMaxBody = 1024 * 1024;

/**
 * Reads the body of a request: its text into `ctx.request.rawBody`, and the parsed JSON, form or text into `ctx.request.body`;
 * both are undefined without one. With `as: "json"`, any content type but multipart is parsed as JSON. Does not read bodies of
 * other content types, such as uploads, and does not read a body again that earlier middleware has read.
 *
 * Throws BODY_INVALID (400), BODY_TOO_LARGE (413) or REQUEST_INVALID (400, 415). Use it after access control.
 */
export function readBody({
  maxBody = defaultMaxBody,
  as,
}: {
  maxBody?: number | undefined;
  as?: "json" | undefined;
} = {}): Middleware {
  let parser: Promise<Middleware> | undefined;
  const loadParser = async (): Promise<Middleware> =>
    (await loadBodyParser()).koaBody({
      includeUnparsed: true,
      // Parsed here, with bounds that koa-body does not have.
      json: false,
      textTypes: ["text/*", "json"],
      formLimit: maxBody,
      textLimit: maxBody,
      // Fields are strings: dots and brackets in their names mean nothing, and the last of several with one name counts.
      queryString: { allowDots: false, depth: 0, parseArrays: false, duplicates: "last" },
      parsedMethods: ["POST", "PUT", "PATCH", "DELETE"] as never,
      onError(error) {
        throw bodyError(error, maxBody);
      },
    }) as Middleware;
  return async (ctx, next) => {
    if (ctx.is() === null || ctx.is("multipart/*")) return await next();
    const encoding = ctx.get("content-encoding").toLowerCase();
    if (encoding !== "" && encoding !== "identity") {
      throw new RunnerError("REQUEST_INVALID", `The body has the content encoding ${encoding.slice(0, 40)}.`, {
        status: 415,
        fix: "Send it without Content-Encoding.",
      });
    }
    const { rawBody, body } = (ctx as unknown as RouteContext).request;
    if (rawBody !== undefined || body !== undefined) {
      if (as === "json" && rawBody !== undefined && !ctx.is("json", "+json")) {
        (ctx.request as { body?: unknown }).body = jsonOf(rawBody);
      }
      return await next();
    }
    if (as === "json" || ctx.is("+json")) ctx.req.headers["content-type"] = "application/json";
    parser ??= loadParser();
    return await (await parser)(ctx, async () => {
      const request = ctx.request as { body?: unknown };
      if (ctx.is("json")) request.body = jsonOf(String(request.body ?? ""));
      await next();
    });
  };
}

/** The value of a JSON body, `undefined` for an empty one. Throws BODY_INVALID. */
function jsonOf(text: string): unknown {
  if (text === "") return undefined;
  const excess = jsonExcess(text);
  if (excess !== undefined) throw new RunnerError("BODY_INVALID", `The body is ${excess}.`);
  try {
    const value: unknown = JSON.parse(text);
    if (/__proto__|\\u/.test(text)) rejectPrototypes(value);
    return value;
  } catch (cause) {
    if (isRunnerError(cause)) throw cause;
    throw new RunnerError("BODY_INVALID", `The body is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}

/** Copying a field of this name with `Object.assign` would replace the prototype of the copy. */
function rejectPrototypes(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, "__proto__")) throw new RunnerError("BODY_INVALID", "The body has a field __proto__.");
  for (const item of Object.values(value)) rejectPrototypes(item);
}

/** Imports koa-body, which takes longer than the rest of the host: after the server listens, or for the first body. */
export function loadBodyParser(): Promise<typeof import("koa-body")> {
  return import("koa-body");
}

function bodyError(cause: Error, maxBody: number): RunnerError {
  const { status, type } = cause as Error & { readonly status?: number; readonly type?: string };
  if (status === 413) {
    return new RunnerError("BODY_TOO_LARGE", `The body is larger than ${maxBody} bytes.`, {
      fix: "Send large data to the bot through a route of your own.",
    });
  }
  if (type !== undefined) {
    return new RunnerError("REQUEST_INVALID", "The request ended before its body did.", { cause });
  }
  return new RunnerError("BODY_INVALID", `The body cannot be read: ${cause.message}.`, { cause });
}

/** Throws BODY_INVALID, which names the field, when a parsed body does not match `schema`. */
export function checkBody(schema: TSchema, body: unknown): void {
  if (Check(schema, body)) return;
  const error = Errors(schema, body)[0];
  const field = error?.instancePath.slice(1).replaceAll("/", ".");
  const problem = error?.keyword === "const" ? `must be ${JSON.stringify(error.params.allowedValue)}` : error?.message;
  throw new RunnerError("BODY_INVALID", `${field ? `"${field}" in the body` : "The body"} ${problem}.`);
}

/** The body of `POST /start`: a JSON object, or nothing. Throws BODY_INVALID. */
export function startBodyOf(ctx: Context): { readonly transport?: string; readonly [field: string]: unknown } {
  if (ctx.is("multipart/*")) throw invalidStart("The body is multipart");
  const { body = {} } = (ctx as unknown as RouteContext).request;
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw invalidStart(`The body is ${kindOf(body)}`);
  const { transport, ...rest } = body as Record<string, unknown>;
  if (transport === undefined || transport === null) return rest;
  if (typeof transport === "string") return { ...rest, transport };
  throw new RunnerError("BODY_INVALID", `"transport" in the body is ${kindOf(transport)}.`, {
    fix: "Give the transport's name as a string, or omit it.",
  });
}

function invalidStart(message: string): RunnerError {
  return new RunnerError("BODY_INVALID", `${message}.`, { fix: 'Send a JSON object, like {"body": {…}}, or nothing.' });
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
