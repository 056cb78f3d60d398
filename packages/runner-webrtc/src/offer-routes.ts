import { randomUUID } from "node:crypto";
import { clientOf, type HttpRoute, type RouteContext, RunnerError, type Session } from "@pipecat-ts/runner-core";
import type { TSchema } from "typebox";
import * as Type from "typebox";
import type { Calls } from "./calls.ts";
import type { ConnectingCallers } from "./connecting.ts";
import type { CallerOffer } from "./peers.ts";

/** `POST …/api/offer`, as small-webrtc-transport 1.10.8 and Pipecat's older clients send it. */
interface OfferBody {
  readonly sdp: string;
  readonly type: "offer";
  /** The `pc_id` of the last answer; none in the first offer. */
  readonly pc_id?: string | null;
  /** Whether the offer is for a new peer, which replaces `pc_id`. */
  readonly restart_pc?: boolean | null;
  /** The bot's `args.body`. Clients use two spellings. */
  readonly requestData?: unknown;
  readonly request_data?: unknown;
}

/** `PATCH …/api/offer`: candidates that the caller has gathered since its offer. */
interface CandidatesBody {
  readonly pc_id: string;
  readonly candidates: readonly {
    /** `""` marks the end of candidates. */
    readonly candidate: string;
    readonly sdp_mid?: string | null;
    readonly sdp_mline_index?: number | null;
  }[];
}

/** The peer ignores further candidates anyway. */
const maxCandidates = 64;

const orNull = (schema: TSchema): TSchema => Type.Optional(Type.Union([schema, Type.Null()]));

/** The runner's ids have 36 characters; candidates and section names of browsers have at most 200. */
const shortText: TSchema = Type.String({ maxLength: 1_000 });

const offerSchema: TSchema = Type.Object({
  // Chromium's offers with all codecs have 10,000 characters.
  sdp: Type.String({ maxLength: 1_000_000 }),
  type: Type.Literal("offer"),
  pc_id: orNull(shortText),
  restart_pc: orNull(Type.Boolean()),
});

const candidatesSchema: TSchema = Type.Object({
  pc_id: shortText,
  candidates: Type.Array(
    Type.Object({
      candidate: shortText,
      sdp_mid: orNull(shortText),
      sdp_mline_index: orNull(Type.Integer({ minimum: 0, maximum: 65_535 })),
    }),
    { maxItems: maxCandidates },
  ),
});

interface OfferedSession {
  readonly session: Session;
  /** Whether this offer created it. */
  readonly isNew: boolean;
  /** Ends the caller's connecting, which this offer began. */
  connected?(): void;
}

export interface OfferRoutesOptions {
  readonly calls: Calls;
  readonly connecting: ConnectingCallers;
  /** Creates a session for a caller who did not use `/start`, and who may have chosen its id. */
  createSession(options: { readonly body: unknown; readonly id: string | undefined }): Session;
  findSession(sessionId: string): Session | undefined;
}

/**
 * The routes for offers and candidates. By the source of small-webrtc-transport 1.10.8, a 4xx answer ends the client's
 * attempts, and after a 5xx answer it tries again.
 */
export function offerRoutes({ calls, connecting, createSession, findSession }: OfferRoutesOptions): HttpRoute[] {
  /** The sessions of callers that count as connecting, or did. */
  const entered = new WeakSet<Session>();
  /** The secret part of the peers' ids, for sessions whose caller chose the id. */
  const secrets = new WeakMap<Session, string>();

  /** The session of an offer, and the function that ends its first caller's connecting. */
  function sessionOf(ctx: RouteContext, pcId: string | undefined, body: unknown): OfferedSession {
    const sessionId = sessionIdOf(ctx);
    if (pcId !== undefined) {
      const { session } = calls.find(pcId);
      requireSession(session, sessionId);
      return { session, isNew: false };
    }
    const known = sessionId === undefined ? undefined : findSession(sessionId);
    if (known === undefined && ctx.params.sessionId !== undefined) throw sessionUnknown(ctx.params.sessionId);
    // Others may guess the id that a caller chose. Further offers of the caller have the peer's id.
    if (known !== undefined && secrets.has(known)) throw idTaken(known.id);
    if (known !== undefined && entered.has(known)) return { session: known, isNew: false };
    const connected = connecting.enter(clientOf(ctx.req.socket));
    try {
      const session = known ?? createSession({ body, id: sessionId });
      if (known === undefined && sessionId !== undefined) secrets.set(session, randomUUID());
      entered.add(session);
      session.onEnd(connected);
      return { session, isNew: known === undefined, connected };
    } catch (error) {
      connected();
      throw error;
    }
  }

  async function answer(ctx: RouteContext): Promise<void> {
    const { sdp, pc_id, restart_pc, request_data, requestData } = ctx.request.body as unknown as OfferBody;
    const pcId = pc_id ?? undefined;
    const body = [request_data, requestData].find(hasContent);
    const { session, isNew, connected } = sessionOf(ctx, pcId, body);
    try {
      const callerOffer: CallerOffer = {
        sdp,
        pcId,
        restart: restart_pc ?? false,
        // Before the new peer takes over: a caller rejected with AT_CAPACITY leaves no peer behind, and may offer again.
        admit() {
          if (session.state === "pending") calls.start(session, body === undefined ? {} : { body });
        },
      };
      const answered = await calls.answer(session, callerOffer, secrets.get(session));
      void answered.connected.then(connected);
      ctx.set("X-Session-Id", session.id);
      ctx.body = { sdp: answered.sdp, type: "answer", pc_id: answered.pcId };
    } catch (error) {
      connected?.();
      if (connected !== undefined) entered.delete(session);
      if (isNew) await session.end("abandoned");
      throw error;
    }
  }

  function addCandidates(ctx: RouteContext): void {
    const { pc_id, candidates } = ctx.request.body as unknown as CandidatesBody;
    const { session, connection } = calls.find(pc_id);
    requireSession(session, sessionIdOf(ctx));
    for (const { candidate, sdp_mid, sdp_mline_index } of candidates) {
      const section = { sdpMid: sdp_mid ?? undefined, sdpMLineIndex: sdp_mline_index ?? undefined };
      connection.addCandidate(pc_id, { candidate, ...section });
    }
    ctx.body = { status: "success" };
  }

  return ["/api/offer", "/sessions/:sessionId/api/offer"].flatMap((path): HttpRoute[] => [
    { method: "POST", path, access: "caller", summary: "Answers an SDP offer", schema: offerSchema, handle: answer },
    {
      method: "PATCH",
      path,
      access: "caller",
      summary: "Adds ICE candidates",
      schema: candidatesSchema,
      handle: addCandidates,
    },
  ]);
}

/** Whether a value counts as a body. As in Pipecat's server, `{}`, which its JavaScript client sends, does not. */
function hasContent(value: unknown): boolean {
  return Boolean(value) && !(typeof value === "object" && Object.keys(Object(value)).length === 0);
}

function sessionIdOf(ctx: RouteContext): string | undefined {
  const { session_id: queried } = ctx.query;
  if (Array.isArray(queried)) {
    throw new RunnerError("REQUEST_INVALID", "The URL has several session ids.", { fix: "Send one session_id." });
  }
  return ctx.params.sessionId ?? queried;
}

function sessionUnknown(sessionId: string): RunnerError {
  return new RunnerError("SESSION_UNKNOWN", `No WebRTC session has the id "${sessionId}".`, {
    fix: 'Start one with POST /start and {"transport": "webrtc"}.',
  });
}

function idTaken(sessionId: string): RunnerError {
  return new RunnerError("SESSION_ID_TAKEN", `The session id "${sessionId}" is in use.`, {
    fix: "Send the pc_id of the answer with further offers, and use a new UUID for each session.",
  });
}

/** Rejects a `pc_id` that belongs to another session than the one in the URL. */
function requireSession(session: Session, sessionId: string | undefined): void {
  if (sessionId === undefined || session.id === sessionId) return;
  throw new RunnerError("SESSION_UNKNOWN", "This pc_id belongs to another session.", {
    fix: "Send each offer to the URL of its own session.",
  });
}
