import { setTimeout as sleep } from "node:timers/promises";
import { isRunnerError, type RunnerContext, type Session } from "@pipecat-ts/runner-core";
import type { Calls } from "@pipecat-ts/runner-webrtc";
import { callDataOf } from "./call-data.ts";
import type { Graph } from "./graph.ts";
import type { CallConnect, CallEvent } from "./messages.ts";
import { createRecentCalls } from "./recent-calls.ts";

/** The calls of one runner, from the webhook that tells of them to the hang-up. */
export interface IncomingCalls {
  /** Takes what a webhook told. Neither throws nor waits. */
  take(event: CallEvent): void;
  /** Resolves when WhatsApp knows of every hang-up, or after 1.8 s. */
  close(): Promise<void>;
}

/** What they are made with. */
export interface IncomingCallsOptions {
  readonly runner: RunnerContext;
  readonly calls: Calls;
  readonly graph: Graph;
  readonly phoneNumberId: string;
}

/** A call whose session is not over. */
interface Line {
  readonly session: Session;
  /** Whether WhatsApp was asked to accept it: then it is terminated, not rejected. */
  accepting: boolean;
  /** Whether WhatsApp told that it is over: then it need not be told. */
  over: boolean;
  /** The request under way. */
  request: Promise<void>;
}

/**
 * A call is accepted when its connection stands, or else it would begin in silence
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/calling/user-initiated-calls). So long it may take.
 */
const connectMs = 2_000;
/** Below what a runner gives a plugin to close, and a session to release what it owns. */
const closeMs = 1_800;

export function createIncomingCalls({ runner, calls, graph, phoneNumberId }: IncomingCallsOptions): IncomingCalls {
  const recent = createRecentCalls();
  const lines = new Map<string, Line>();
  const underWay = new Set<Promise<void>>();

  function track(work: Promise<void>): void {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  }

  function connect(call: CallConnect): void {
    if (!recent.isNew(call.callId) || runner.findSession(call.callId) !== undefined) return;
    try {
      track(answer(call, open(call)));
    } catch (error) {
      // The runner takes no more callers.
      const code = isRunnerError(error) ? error.code : "INTERNAL";
      runner.refused(code);
      runner.logger.info(`A WhatsApp call was rejected: ${code}`);
      track(tell(runner, "reject", call));
    }
  }

  function open(call: CallConnect): Line {
    const session = runner.createSession({ body: call.call, holdsPlace: true });
    const line: Line = { session, accepting: false, over: false, request: Promise.resolve() };
    lines.set(call.callId, line);
    session.own(async () => {
      const hangingUp = hangUp(call, line);
      track(hangingUp);
      await withinMs(closeMs, hangingUp);
    });
    session.alias(call.callId);
    return line;
  }

  /** Never rejects. */
  async function answer(call: CallConnect, line: Line): Promise<void> {
    const { session } = line;
    const isWanted = (): boolean => session.state === "pending";
    try {
      const { sdp, connected, left } = await calls.answer(session, { sdp: call.sdp });
      if (!isWanted()) return;
      await request(line, graph.preAccept(call, sdp));
      await withinMs(connectMs, Promise.race([connected, left]));
      if (!isWanted()) return;
      line.accepting = true;
      await request(line, graph.accept(call, sdp));
      if (isWanted()) calls.start(session, { callData: callDataOf(call) });
    } catch (err) {
      if (isWanted()) session.logger.warn(describe(err), "a WhatsApp call could not be taken");
      await session.end("transport-failed");
    }
  }

  async function request(line: Line, made: Promise<void>): Promise<void> {
    line.request = made;
    await made;
  }

  /** Never rejects. */
  async function hangUp(call: CallConnect, line: Line): Promise<void> {
    lines.delete(call.callId);
    // A hang-up must not overtake what it follows.
    if (!line.over) await line.request.catch(() => undefined); // told by `answer`
    if (!line.over) await tell(line.session, line.accepting ? "terminate" : "reject", call);
  }

  /** Never rejects. */
  async function tell(
    { logger }: Pick<Session, "logger">,
    action: "reject" | "terminate",
    call: CallConnect,
  ): Promise<void> {
    try {
      await graph[action](call);
    } catch (err) {
      logger.warn(describe(err), "WhatsApp may believe that a call goes on");
    }
  }

  return {
    take(event) {
      if (event.phoneNumberId !== phoneNumberId) {
        runner.logger.debug("a webhook for another business number was left alone");
        return;
      }
      if (event.kind === "connect") return connect(event);
      // Also where it comes before the call it is about.
      recent.isNew(event.callId);
      const line = lines.get(event.callId);
      if (line === undefined) return;
      line.over = true;
      void calls.hungUp(line.session);
    },
    async close() {
      await withinMs(closeMs, Promise.all(underWay));
      graph.close();
      await Promise.all(underWay);
    },
  };
}

/** What may be logged of a failure: no cause, which might have a URL or a header in it. */
function describe(error: unknown): { readonly code: string; readonly reason: string } | { readonly err: unknown } {
  return isRunnerError(error) ? { code: error.code, reason: error.message } : { err: error };
}

/** Resolves with `promise`, or after `ms`. Leaves no timer. */
async function withinMs(ms: number, promise: Promise<unknown>): Promise<void> {
  const settled = new AbortController();
  const late = sleep(ms, undefined, { signal: settled.signal }).catch(() => undefined); // stopped, as it should be
  await Promise.race([promise, late]);
  settled.abort();
}
