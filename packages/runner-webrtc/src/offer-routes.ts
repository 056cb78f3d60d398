import { type HttpRoute, type RouteContext, RunnerError, type Session } from "@pipecat-ts/runner-core";
import type { Calls } from "./calls.ts";
import { type CandidatesBody, candidatesSchema, type OfferBody, offerSchema } from "./offer-body.ts";

/** What the routes need of their runner. */
export interface OfferRoutesOptions {
  readonly calls: Calls;
  /** A session for a caller who just comes. */
  start(body: unknown): Session;
  /** The started session that waits for a WebRTC caller, or has one. Throws SESSION_UNKNOWN. */
  find(sessionId: string): Session;
}

/**
 * Where clients send their offers and candidates. A 4xx ends the client's attempt, a 5xx has it try again: by the source of
 * small-webrtc-transport 1.10.8.
 */
export function offerRoutes({ calls, start, find }: OfferRoutesOptions): HttpRoute[] {
  /** The session an offer is for, and whether it began with it. */
  function sessionOf(ctx: RouteContext, pcId: string | undefined, body: unknown): { session: Session; isNew: boolean } {
    const sessionId = sessionIdOf(ctx);
    if (pcId !== undefined) {
      const { session } = calls.find(pcId);
      refuseOther(session, sessionId);
      return { session, isNew: false };
    }
    return sessionId === undefined ? { session: start(body), isNew: true } : { session: find(sessionId), isNew: false };
  }

  async function answer(ctx: RouteContext): Promise<void> {
    const { sdp, pc_id, restart_pc, request_data, requestData } = ctx.request.body as OfferBody;
    const pcId = pc_id ?? undefined;
    const body = [request_data, requestData].find(hasContent);
    const { session, isNew } = sessionOf(ctx, pcId, body);
    try {
      const answered = await calls.answer(session, {
        sdp,
        pcId,
        restart: restart_pc ?? false,
        // Before the peer counts: one who finds no place keeps none open here, and may offer again.
        admit() {
          if (session.state === "pending") calls.start(session, body === undefined ? {} : { body });
        },
      });
      ctx.set("X-Session-Id", session.id);
      ctx.body = { sdp: answered.sdp, type: "answer", pc_id: answered.pcId };
    } catch (error) {
      if (isNew) await session.end("abandoned");
      throw error;
    }
  }

  function addCandidates(ctx: RouteContext): void {
    const { pc_id, candidates } = ctx.request.body as CandidatesBody;
    const { session, connection } = calls.find(pc_id);
    refuseOther(session, sessionIdOf(ctx));
    for (const { candidate, sdp_mid, sdp_mline_index } of candidates) {
      const place = { sdpMid: sdp_mid ?? undefined, sdpMLineIndex: sdp_mline_index ?? undefined };
      connection.addCandidate(pc_id, { candidate, ...place });
    }
    ctx.body = { status: "success" };
  }

  return ["/api/offer", "/sessions/:sessionId/api/offer"].flatMap((path): HttpRoute[] => [
    { method: "POST", path, access: "caller", schema: offerSchema, handle: answer },
    { method: "PATCH", path, access: "caller", schema: candidatesSchema, handle: addCandidates },
  ]);
}

/** An empty value counts as none, as in Pipecat's own server: also `{}`, which its JavaScript client sends. */
function hasContent(value: unknown): boolean {
  return Boolean(value) && !(typeof value === "object" && Object.keys(Object(value)).length === 0);
}

function sessionIdOf(ctx: RouteContext): string | undefined {
  const { session_id: asked } = ctx.query;
  return ctx.params.sessionId ?? (typeof asked === "string" ? asked : undefined);
}

/** One caller's `pc_id` opens nothing at another's address. */
function refuseOther(session: Session, sessionId: string | undefined): void {
  if (sessionId === undefined || session.id === sessionId) return;
  throw new RunnerError("SESSION_UNKNOWN", "This pc_id belongs to another session.", {
    fix: "Send each offer to the address of its own session.",
  });
}
