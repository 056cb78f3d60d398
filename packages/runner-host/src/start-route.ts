import type { Router } from "@koa/router";
import { RunnerError, type StartBody } from "@pipecat-ts/runner-core";
import type { Context } from "koa";
import { parseJson } from "./body.ts";
import { chooseTransport } from "./choose-transport.ts";
import type { InstalledTransport } from "./open-plugins.ts";
import type { SessionRegistry } from "./sessions.ts";

/** `POST /start`: chooses a transport and lets it answer. */
export function addStartRoute(
  router: Router,
  transports: readonly InstalledTransport[],
  restrictedTo: string | undefined,
  sessions: SessionRegistry,
): void {
  router.post("/start", async (ctx) => {
    const body = readStartBody(ctx);
    const transport = chooseTransport(body, transports, restrictedTo);
    sessions.refuseWhenFull();
    const reply = await transport.start({ body, request: ctx.req });
    ctx.set("X-Session-Id", reply.sessionId);
    ctx.body = reply.body;
  });
}

/** Any content type will do, like in the original: curl sends JSON as a form unless told otherwise. */
function readStartBody(ctx: Context): StartBody {
  const { rawBody } = ctx.request as { readonly rawBody?: Buffer };
  const body = parseJson(rawBody) ?? {};
  if (typeof body !== "object" || Array.isArray(body)) {
    throw new RunnerError("BODY_INVALID", `The body is ${Array.isArray(body) ? "a list" : `a ${typeof body}`}.`, {
      fix: 'Send a JSON object, like {"body": {…}}, or nothing.',
    });
  }
  const { transport, ...rest } = body as Record<string, unknown>;
  if (transport === undefined || transport === null) return rest;
  if (typeof transport === "string") return { ...rest, transport };
  throw new RunnerError("BODY_INVALID", `"transport" in the body is a ${typeof transport}.`, {
    fix: "Give the transport's name as a string, or leave it out.",
  });
}
