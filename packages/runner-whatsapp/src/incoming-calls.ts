import { isRunnerError, type RunnerContext, type Session, withTimeout } from "@pipecat-ts/runner-core";
import type { Calls } from "@pipecat-ts/runner-webrtc";
import type { WhatsAppApi } from "./api.ts";
import { callDataOf } from "./arguments.ts";
import type { CallConnect, CallEvent } from "./messages.ts";

/** The calls of one runner, from the webhook to the hang-up. */
export interface IncomingCalls {
  /** Takes an event of a webhook. Neither throws nor waits. */
  take(event: CallEvent): void;
  /** Resolves when WhatsApp has confirmed every hang-up, or after 1.8 s. */
  close(): Promise<void>;
}

export interface IncomingCallsOptions {
  readonly runner: RunnerContext;
  readonly calls: Calls;
  readonly api: WhatsAppApi;
  readonly phoneNumberId: string;
}

/** A call whose session has not ended. */
interface LiveCall {
  readonly session: Session;
  /** Whether an accept request was sent: the call is then terminated instead of rejected. */
  accepting: boolean;
  /** Whether WhatsApp reported the end of the call. */
  hasEnded: boolean;
  /** The request in progress. */
  request: Promise<void>;
  /** The hang-up, once the call has ended on either side. */
  ending?: Promise<void>;
}

/**
 * How long to wait for the connection before the call is accepted. If a call is accepted earlier, it begins with silence
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/calling/user-initiated-calls).
 */
const connectTimeoutMs = 2_000;
const closeTimeoutMs = 1_800;

export function createIncomingCalls({ runner, calls, api, phoneNumberId }: IncomingCallsOptions): IncomingCalls {
  const recent = createRecentCalls();
  const live = new Map<string, LiveCall>();
  const inProgress = new Set<Promise<void>>();

  /** Lets `close` wait for work, which never rejects. */
  function track(work: Promise<void>): Promise<void> {
    inProgress.add(work);
    void work.finally(() => inProgress.delete(work));
    return work;
  }

  function connect(call: CallConnect): void {
    if (!recent.add(call.callId) || runner.findSession(call.callId) !== undefined) return;
    try {
      void track(answer(call, open(call)));
    } catch (err) {
      // AT_CAPACITY or DRAINING.
      const code = isRunnerError(err) ? err.code : "INTERNAL";
      runner.countRejection(code);
      runner.logger.info({ code }, "call rejected");
      void track(hangUp(runner, "reject", call));
    }
  }

  function open(call: CallConnect): LiveCall {
    // A phone that rings has its place reserved: it must not be rejected after it was accepted.
    const session = runner.createSession({ body: call.call, reserve: true });
    const liveCall: LiveCall = { session, accepting: false, hasEnded: false, request: Promise.resolve() };
    live.set(call.callId, liveCall);
    session.onEnd(() => end(call, liveCall));
    session.alias(call.callId);
    return liveCall;
  }

  /** Never rejects. */
  async function answer(call: CallConnect, liveCall: LiveCall): Promise<void> {
    const { session } = liveCall;
    const isPending = (): boolean => session.state === "pending";
    try {
      const { sdp, connected, left } = await calls.answer(session, { sdp: call.sdp });
      if (!isPending()) return;
      await send(liveCall, api.preAccept(call, sdp));
      await withTimeout(Promise.race([connected, left]), connectTimeoutMs);
      if (!isPending()) return;
      liveCall.accepting = true;
      await send(liveCall, api.accept(call, sdp));
      if (!isPending()) return;
      calls.start(session, { callData: callDataOf(call) });
      // The bot may work on after it has closed its transport.
      void left.then(() => end(call, liveCall));
    } catch (err) {
      if (isPending()) session.logger.warn(describe(err), "call failed");
      await session.end("transport-failed");
    }
  }

  async function send(liveCall: LiveCall, request: Promise<void>): Promise<void> {
    liveCall.request = request;
    await request;
  }

  /** Hangs up once, after the request in progress. Never rejects. */
  function end(call: CallConnect, liveCall: LiveCall): Promise<void> {
    liveCall.ending ??= track(hangUpAfterRequest(call, liveCall));
    return liveCall.ending;
  }

  async function hangUpAfterRequest(call: CallConnect, liveCall: LiveCall): Promise<void> {
    live.delete(call.callId);
    if (!liveCall.hasEnded) await liveCall.request.catch(() => undefined); // `answer` handles it.
    if (!liveCall.hasEnded) await hangUp(liveCall.session, liveCall.accepting ? "terminate" : "reject", call);
  }

  /** Never rejects. */
  async function hangUp(
    { logger }: Pick<Session, "logger">,
    action: "reject" | "terminate",
    call: CallConnect,
  ): Promise<void> {
    try {
      await api[action](call);
    } catch (err) {
      logger.warn({ action, ...describe(err) }, "hang-up failed");
    }
  }

  return {
    take(event) {
      if (event.phoneNumberId !== phoneNumberId) {
        runner.logger.debug("webhook for another business number ignored");
        return;
      }
      if (event.kind === "unreadable") {
        runner.logger.warn("call event of a webhook ignored: unknown format");
        return;
      }
      if (event.kind === "connect") return connect(event);
      // Also when it arrives before the call itself, which must then not begin.
      recent.add(event.callId);
      const liveCall = live.get(event.callId);
      if (liveCall === undefined) return;
      liveCall.hasEnded = true;
      void calls.hungUp(liveCall.session);
    },
    async close() {
      await withTimeout(Promise.all(inProgress), closeTimeoutMs);
      await api.close();
      await Promise.all(inProgress);
    },
  };
}

/** Remembers call ids, so that a repeated or late webhook does not begin a call again. */
interface RecentCalls {
  /** Returns false if the id is known already. */
  add(callId: string): boolean;
}

/** How many call ids are remembered. Older calls have ended: WhatsApp ends a call that is not accepted within a minute. */
const maxRecentCalls = 10_000;

function createRecentCalls(): RecentCalls {
  const ids = new Set<string>();
  return {
    add(callId) {
      if (ids.has(callId)) return false;
      ids.add(callId);
      for (const oldest of ids) {
        if (ids.size <= maxRecentCalls) break;
        ids.delete(oldest);
      }
      return true;
    },
  };
}

/** What may be logged about an error. Not its cause, which may contain a URL or a header. */
function describe(error: unknown): { readonly code: string; readonly reason: string } | { readonly err: unknown } {
  return isRunnerError(error) ? { code: error.code, reason: error.message } : { err: error };
}
