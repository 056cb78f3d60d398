import {
  type CallData,
  type CloseReason,
  type RunnerContext,
  RunnerError,
  type Session,
} from "@pipecat-ts/runner-core";
import { createPacer } from "@pipecat-ts/runner-media";
import type { SmallWebRTCRunnerArguments, WebRTCParams } from "./arguments.ts";
import { type Connection, createConnection } from "./connection.ts";
import { type CallSettings, checkSettings } from "./options.ts";
import type { PeerOptions } from "./peer/peer.ts";
import { warmUp } from "./peer/werift/warm-up.ts";
import type { CallerAnswer, CallerOffer } from "./peers.ts";
import { openTransport } from "./transport.ts";
import { loadOpus } from "./voice/opus.ts";

/** How a plugin's callers are answered. */
export interface CallsOptions extends CallSettings, Pick<PeerOptions, "hostAddress" | "opensDtls"> {}

/** What the bot is told of a call beside what every bot is. */
export interface CallDetails {
  /** In place of the session's own. */
  readonly body?: unknown;
  readonly callData?: CallData;
}

/** An answer, and what becomes of it. */
export interface AnsweredCall extends CallerAnswer {
  /** Resolves when the caller can hear and be heard, the first time; never where that does not come. */
  readonly connected: Promise<void>;
  /** Resolves when the caller is gone or the call was closed. */
  readonly left: Promise<CloseReason>;
}

/** The WebRTC calls that one plugin takes in its runner. Those of another plugin are unknown to it. */
export interface Calls {
  /**
   * Answers an offer for a session: its first, or a later one. The session then owns the connection. The bot is not started.
   * Rejects with OFFER_INVALID (400), UDP_PORTS_EXHAUSTED and TURN_UNREACHABLE (503), or with what `admit` throws, and then
   * all is as it was; with SESSION_NOT_PENDING for a second caller, with CALL_ENDED for a peer that is gone.
   */
  answer(session: Session, offer: CallerOffer): Promise<AnsweredCall>;
  /**
   * Starts the bot of a session that was answered, or whose offer is being admitted, as one of transport `webrtc`: once. From now on the session ends when
   * its caller leaves. Throws SESSION_NOT_PENDING, and AT_CAPACITY or DRAINING when the runner takes no more callers.
   */
  start(session: Session, details?: CallDetails): void;
  /** Ends the session of a caller who is known to be gone, by signalling of another kind. Resolves when it has ended. */
  hungUp(session: Session): Promise<void>;
  /** The session of the peer `pcId`, and where to put what its caller trickles. Throws SESSION_UNKNOWN (404). */
  find(pcId: string): { readonly session: Session; readonly connection: Pick<Connection, "addCandidate"> };
}

/**
 * Makes ready to take WebRTC calls: for plugins whose callers send their offers in a way of their own. Loads the codec and
 * the engine; opens no socket before the first offer. Throws OPTION_INVALID.
 */
export async function openCalls(runner: RunnerContext, options: CallsOptions): Promise<Calls> {
  checkSettings(options);
  const { iceServers, relayOnly, announceIp, hostAddress, opensDtls, udpPorts } = options;
  const pacer = runner.shared("pacer", createPacer);
  const [opus] = await Promise.all([runner.shared("opus", loadOpus), warmUp(runner.logger)]);
  const connections = new WeakMap<Session, Connection>();

  function open(session: Session): Connection {
    const connection = createConnection({
      sessionId: session.id,
      iceServers,
      relayOnly,
      ...(announceIp === undefined ? {} : { announceIp }),
      ...(hostAddress === undefined ? {} : { hostAddress }),
      ...(opensDtls === undefined ? {} : { opensDtls }),
      ...(udpPorts === undefined ? {} : { udpPorts }),
      callerTimeoutMs: options.callerTimeout * 1000,
      opus,
      pacer,
      logger: session.logger,
    });
    connections.set(session, connection);
    session.own((reason) => connection.close(reason));
    return connection;
  }

  return {
    async answer(session, offer) {
      const connection = connections.get(session) ?? open(session);
      const { connected, left } = connection;
      const answered = await connection.answer({
        ...offer,
        admit(pcId) {
          offer.admit?.(pcId);
          session.alias(pcId);
        },
      });
      return { ...answered, connected, left };
    },
    start(session, details = {}) {
      const connection = connections.get(session);
      if (connection === undefined) throw new Error("The session has no connection: answer its offer first.");
      session.run<SmallWebRTCRunnerArguments>(
        { transport: "webrtc", webrtcConnection: connection, ...details },
        async (params: WebRTCParams) => openTransport({ connection, params, opus, pacer, logger: session.logger }),
      );
      void connection.left.then((reason) => session.end(reason));
    },
    async hungUp(session) {
      connections.get(session)?.hungUp();
      await session.end("caller-left");
    },
    find(pcId) {
      const session = runner.findSession(pcId);
      const connection = session && connections.get(session);
      if (session !== undefined && connection !== undefined && session.id !== pcId) return { session, connection };
      throw new RunnerError("SESSION_UNKNOWN", "No call has this pc_id, or it has ended.", {
        fix: "Begin anew: POST /start, and an offer without pc_id.",
      });
    },
  };
}
