import type { Router } from "@koa/router";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { ApiKey } from "./api-key.ts";
import type { HostSession } from "./session.ts";
import type { SessionRegistry } from "./sessions.ts";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Ahead of the transports' routes: nothing under `/sessions/{id}` is answered without the key, or for a session that is not live. */
export function refuseUnknownSessions(router: Router, sessions: SessionRegistry, apiKey: ApiKey): void {
  router.register("/sessions/:sessionId{/*path}", methods, (ctx, next) => {
    apiKey.require(ctx.req);
    findSession(sessions, ctx.params.sessionId);
    return next();
  });
}

/** After the transports' routes: what they did not answer is the bot's. */
export function answerBySessions(router: Router, sessions: SessionRegistry): void {
  router.register("/sessions/:sessionId{/*path}", methods, (ctx) => {
    ctx.params.path ??= "";
    return findSession(sessions, ctx.params.sessionId).answer(ctx);
  });
}

/**
 * The live session of this id. Throws SESSION_UNKNOWN; DRAINING while the runner drains, which ended the sessions of those
 * who had not come yet: a client tries again after 503, and not after 404.
 */
export function findSession(sessions: SessionRegistry, id: string | undefined): HostSession {
  const session = id === undefined ? undefined : sessions.get(id);
  if (session) return session;
  if (sessions.draining) sessions.refuseWhenFull();
  throw new RunnerError("SESSION_UNKNOWN", "There is no such session, or it has ended.", {
    fix: "Start one with POST /start; it waits 120 s for its caller.",
  });
}
