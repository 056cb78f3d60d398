import type { Router } from "@koa/router";
import { RunnerError, type StartBody } from "@pipecat-ts/runner-core";
import type { Context } from "koa";
import type { ApiKey } from "./api-key.ts";
import { parseJson } from "./body.ts";
import { chooseTransport } from "./choose-transport.ts";
import type { InstalledTransport } from "./installed-transport.ts";
import { readOn } from "./read-on.ts";
import type { SessionRegistry } from "./sessions.ts";

/** `POST /start`: chooses a transport and lets it answer. */
export function addStartRoute(
  router: Router,
  transports: readonly InstalledTransport[],
  restrictedTo: string | undefined,
  sessions: SessionRegistry,
  apiKey: ApiKey,
): void {
  router.post("/start", async (ctx) => {
    apiKey.require(ctx.req);
    const body = readStartBody(ctx);
    const transport = chooseTransport(body, transports, restrictedTo);
    sessions.refuseWhenFull();
    const reply = await transport.start({ body, request: ctx.req });
    ctx.set("X-Session-Id", reply.sessionId);
    ctx.body = reply.body;
  });
}

/** Any content type but multipart will do, like in the original: curl sends JSON as a form unless told otherwise. */
function readStartBody(ctx: Context): StartBody {
  const { rawBody } = ctx.request as { readonly rawBody?: Buffer };
  if (rawBody === undefined && ctx.is() !== null) {
    readOn(ctx.req, ctx.res);
    throw invalid("The body is multipart");
  }
  const json = parseJson(rawBody);
  const body = json === undefined ? {} : json;
  if (!isObject(body)) throw invalid(`The body is ${kindOf(body)}`);
  const { transport, ...rest } = body;
  if (transport === undefined || transport === null) return rest;
  if (typeof transport === "string") return { ...rest, transport };
  throw new RunnerError("BODY_INVALID", `"transport" in the body is ${kindOf(transport)}.`, {
    fix: "Give the transport's name as a string, or leave it out.",
  });
}

function invalid(what: string): RunnerError {
  return new RunnerError("BODY_INVALID", `${what}.`, { fix: 'Send a JSON object, like {"body": {…}}, or nothing.' });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
