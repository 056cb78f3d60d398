import { randomUUID } from "node:crypto";
import {
  type Call,
  type CallData,
  type CloseReason,
  type Logger,
  type MediaPort,
  type Pacer,
  type RunnerContext,
  RunnerError,
  type Session,
} from "@pipecat-ts/runner-core";
import type { SmallWebRTCConnection, SmallWebRTCRunnerArguments, WebRTCParams } from "./arguments.ts";
import { type Connection, createConnection } from "./connection.ts";
import { type CallsOptions, checkSettings } from "./options.ts";
import { createMdnsQueries } from "./peer/mdns.ts";
import type { PeerOptions } from "./peer/peer.ts";
import { warmUp } from "./peer/werift/warm-up.ts";
import type { CallerAnswer, CallerOffer, Peers } from "./peers.ts";
import { openWebRTCPort } from "./port.ts";
import { loadOpus, type Opus } from "./voice/opus.ts";

/** What the bot's arguments contain about a call, besides those of every bot. */
export interface CallDetails {
  /** Replaces the body of the session. */
  readonly body?: unknown;
  readonly callData?: CallData;
}

/** An answer, and the state of its connection. */
export interface AnsweredCall extends CallerAnswer {
  /** Resolves when the connection is up for the first time. Stays pending when it never is. */
  readonly connected: Promise<void>;
  /** Resolves when the caller has left or the call was closed. */
  readonly left: Promise<CloseReason>;
}

/** The WebRTC calls of one plugin in one runner. */
export interface Calls {
  /**
   * Answers an offer for a session: the first or a later one. The session then owns the connection. Does not start the bot.
   *
   * Rejects with OFFER_INVALID (400), UDP_PORTS_EXHAUSTED and TURN_UNREACHABLE (503), or with the error that `offer.admit`
   * threw; the connection is then unchanged. Rejects with SESSION_NOT_PENDING for a second caller, and with CALL_ENDED for a
   * peer that was replaced or closed. The ids of peers begin with `peerIdPrefix`, by default the session's id. A client that
   * knows the id of a peer can take over its call.
   */
  answer(session: Session, offer: CallerOffer, peerIdPrefix?: string): Promise<AnsweredCall>;
  /**
   * Starts the bot of a session, once: in `offer.admit`, or after `answer`. From now on, the session ends when its caller
   * leaves. Audio and messages that arrived earlier are dropped. Throws SESSION_NOT_PENDING, AT_CAPACITY or DRAINING.
   */
  start(session: Session, details?: CallDetails): void;
  /** Ends a session whose caller hung up through other signaling. Resolves when it has ended. */
  hungUp(session: Session): Promise<void>;
  /** Loads Opus and werift, which the first call needs: for `advanced.warmUp`. */
  warmUp(): Promise<void>;
  /** The session with the peer `pcId`, and its connection for trickled candidates. Throws SESSION_UNKNOWN (404). */
  find(pcId: string): { readonly session: Session; readonly connection: Pick<Connection, "addCandidate"> };
}

/**
 * Prepares a plugin to take WebRTC calls, for plugins whose callers send offers through signaling of their own. Such a plugin
 * sets `advanced.runsAs: "webrtc"`. Opens no socket before the first offer. Throws OPTION_INVALID.
 */
export function openCalls(runner: RunnerContext, options: CallsOptions): Calls {
  checkSettings(options);
  const { iceServers, relayOnly, announceIp, hostAddress, opensDtls, udpPorts } = options;
  const { pacer } = runner;
  const sharedOpus = () => runner.shared("opus", loadOpus);
  const mdnsQueries = runner.shared("mdns-queries", createMdnsQueries);
  const connections = new WeakMap<Session, Connection>();

  function open(session: Session, peerIdPrefix: string | undefined, opus: Opus): Connection {
    const connection = createConnection({
      sessionId: session.id,
      peerIdPrefix,
      iceServers,
      relayOnly,
      ...(announceIp === undefined ? {} : { announceIp }),
      ...(hostAddress === undefined ? {} : { hostAddress }),
      ...(opensDtls === undefined ? {} : { opensDtls }),
      ...(udpPorts === undefined ? {} : { udpPorts }),
      mdnsQueries,
      callerTimeoutMs: options.callerTimeout * 1000,
      opus,
      pacer,
      logger: session.logger,
    });
    connections.set(session, connection);
    session.onEnd((reason, deadline) => connection.close(reason, deadline));
    return connection;
  }

  return {
    async answer(session, offer, peerIdPrefix) {
      const opus = await sharedOpus();
      const connection = connections.get(session) ?? open(session, peerIdPrefix, opus);
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
      if (connection === undefined) throw new Error("Answer the session's offer before you start its bot.");
      const call = session.run<SmallWebRTCRunnerArguments>(
        { webrtcConnection: connection, ...details },
        async (params) => openWebRTCPort(connection, { params, opus: await sharedOpus(), pacer }),
      );
      connection.reportTo(call);
    },
    async hungUp(session) {
      connections.get(session)?.hungUp();
      await session.end("caller-left");
    },
    async warmUp() {
      await Promise.all([sharedOpus(), runner.shared("werift", () => warmUp(runner.logger))]);
    },
    find(pcId) {
      const session = runner.findSession(pcId);
      const connection = session && connections.get(session);
      if (session !== undefined && connection !== undefined && session.id !== pcId) return { session, connection };
      throw new RunnerError("SESSION_UNKNOWN", "No call has this pc_id, or it has ended.", {
        fix: "Start a new call: POST /start, then an offer without pc_id.",
      });
    },
  };
}

/** How a runner connects to its WebRTC callers. */
export interface WebRTCConnectionOptions extends Partial<Omit<PeerOptions, "logger" | "mdnsQueries">> {
  readonly logger: Logger;
  readonly pacer: Pacer;
  /** How long a caller may send no packet, in ms. Default 10,000. */
  readonly callerTimeoutMs?: number;
}

/** A connection without a runner, for signaling of your own. */
export interface WebRTCConnection
  extends SmallWebRTCConnection,
    Pick<Peers, "answer" | "addCandidate">,
    Pick<Connection, "close"> {
  /** Opens the connection for a bot, once: for `connect` of `createStandaloneTransport`. Throws OPTION_INVALID. */
  open(call: Call, params?: WebRTCParams): MediaPort;
}

/** Creates a connection without a runner. Pass each offer of the caller to its `answer`. Rejects with OPTION_INVALID. */
export async function createWebRTCConnection(options: WebRTCConnectionOptions): Promise<WebRTCConnection> {
  const { logger, pacer, callerTimeoutMs = 10_000, iceServers = [], ...peerOptions } = options;
  checkSettings({ ...peerOptions, iceServers });
  const opus = await loadOpus();
  const connection = createConnection({
    ...peerOptions,
    sessionId: randomUUID(),
    iceServers,
    callerTimeoutMs,
    opus,
    pacer,
    logger,
  });
  return Object.assign(connection, {
    open(call: Call, params: WebRTCParams = {}) {
      const port = openWebRTCPort(connection, { params, opus, pacer });
      connection.reportTo(call);
      return port;
    },
  });
}
