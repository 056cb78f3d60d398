import type { Router } from "@koa/router";
import type { AccessControl } from "./access-control.ts";
import type { HostSession } from "./session.ts";
import { findSession } from "./session-requests.ts";
import type { SessionRegistry } from "./sessions.ts";

/** What is told of a session: neither its body nor who calls. */
interface SessionReport {
  readonly sessionId: string;
  readonly transport: string;
  readonly state: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
}

/**
 * `GET /sessions`: those that live. `GET /sessions/{id}`: one of them. `DELETE /sessions/{id}`: ends it, and answers once it
 * has ended. Goes behind `refuseUnknownSessions`, which asks for the key wherever there is an id.
 */
export function addSessionsRoutes(router: Router, sessions: SessionRegistry, access: AccessControl): void {
  router.get("/sessions", (ctx) => {
    access.requireOperator(ctx.req);
    ctx.body = { sessions: [...sessions].filter(({ state }) => state !== "ended").map(report) };
  });
  router.get("/sessions/:sessionId", (ctx) => {
    ctx.body = report(findSession(sessions, ctx.params.sessionId));
  });
  router.delete("/sessions/:sessionId", async (ctx) => {
    const session = findSession(sessions, ctx.params.sessionId);
    await session.end("ended-by-request");
    ctx.body = { ...report(session), reason: await session.ended };
  });
}

function report({ id, transport, state, startedAt }: HostSession): SessionReport {
  const durationMs = Math.max(0, Date.now() - startedAt.getTime());
  return { sessionId: id, transport, state, startedAt: startedAt.toISOString(), durationMs };
}
