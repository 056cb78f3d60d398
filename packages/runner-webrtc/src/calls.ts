import { type CallData, type RunnerContext, RunnerError, type Session } from "@pipecat-ts/runner-core";
import type { Pacer } from "@pipecat-ts/runner-media";
import type { SmallWebRTCRunnerArguments, WebRTCParams } from "./arguments.ts";
import { type Connection, createConnection } from "./connection.ts";
import type { WebRTCOptions } from "./options.ts";
import type { CallerAnswer, CallerOffer } from "./peers.ts";
import { openTransport } from "./transport.ts";
import type { Opus } from "./voice/opus.ts";

/** What the calls of one runner share. */
export interface CallsOptions {
  readonly runner: Pick<RunnerContext, "findSession">;
  readonly options: WebRTCOptions;
  readonly opus: Opus;
  readonly pacer: Pacer;
}

/** What the bot is told of a call beside what every bot is. */
export interface CallDetails {
  readonly body?: unknown;
  readonly callData?: CallData;
}

/** The WebRTC calls of one runner. */
export interface Calls {
  /** Answers an offer for a session: its first, which starts the bot, or a later one. Throws what `Connection.answer` throws, and AT_CAPACITY. */
  answer(session: Session, offer: Omit<CallerOffer, "admit">, details?: CallDetails): Promise<CallerAnswer>;
  /** The connection that one of `pcId` belongs to. Throws SESSION_UNKNOWN (404). */
  find(pcId: string): { readonly session: Session; readonly connection: Connection };
}

export function createCalls({ runner, options, opus, pacer }: CallsOptions): Calls {
  const { iceServers, relayOnly, announceIp, udpPorts } = options;
  const connections = new WeakMap<Session, Connection>();

  function open(session: Session): Connection {
    return createConnection({
      sessionId: session.id,
      iceServers,
      relayOnly,
      ...(announceIp === undefined ? {} : { announceIp }),
      ...(udpPorts === undefined ? {} : { udpPorts }),
      callerTimeoutMs: options.callerTimeout * 1000,
      opus,
      pacer,
      logger: session.logger,
    });
  }

  function run(session: Session, connection: Connection, details: CallDetails): void {
    session.run<SmallWebRTCRunnerArguments>(
      { transport: "webrtc", webrtcConnection: connection, ...details },
      async (params: WebRTCParams) => openTransport({ connection, params, opus, pacer, logger: session.logger }),
    );
    void connection.left.then((reason) => session.end(reason));
  }

  return {
    async answer(session, offer, details = {}) {
      const known = connections.get(session);
      const connection = known ?? open(session);
      if (known === undefined) {
        connections.set(session, connection);
        session.own((reason) => connection.close(reason));
      }
      return await connection.answer({
        ...offer,
        // Before the peer counts: one who finds no place keeps none open here, and may offer again.
        admit(pcId) {
          if (session.state === "pending") run(session, connection, details);
          session.alias(pcId);
        },
      });
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
