import { randomUUID } from "node:crypto";
import { type Logger, RunnerError, type Transport } from "@pipecat-ts/runner-core";
import { createMediaTransport, createPacer, type Pacer } from "@pipecat-ts/runner-media";
import type { SmallWebRTCConnection, WebRTCEvents, WebRTCParams } from "./arguments.ts";
import { type Connection, createConnection } from "./connection.ts";
import type { PeerOptions } from "./peer/peer.ts";
import type { Peers } from "./peers.ts";
import { createWebRTCPort } from "./port.ts";
import { loadOpus, type Opus } from "./voice/opus.ts";

/** What a WebRTC transport is built from, by who has signalling of their own. */
export interface WebRTCTransportOptions extends Partial<Omit<PeerOptions, "logger">> {
  readonly params?: WebRTCParams;
  readonly logger: Logger;
  /** How long a caller may be away, in ms. Default 10,000. */
  readonly callerTimeoutMs?: number;
  /** The metronome that the calls of one process share. Default: one of its own. */
  readonly pacer?: Pacer;
}

/** A transport, and the connection that it waits for its caller on. */
export interface WebRTCTransport {
  readonly transport: Transport<WebRTCEvents>;
  /**
   * `answer` each offer of the caller: the first, those that renegotiate, those of a new peer in place of the one before.
   * It rejects with OFFER_INVALID and the like, and then all is as it was.
   */
  readonly connection: SmallWebRTCConnection & Pick<Peers, "answer" | "addCandidate">;
}

/**
 * A transport without a runner: the offers are yours to take in and to answer by `connection`. Close the transport when
 * `connection.left` resolves, or when you are done, whether or not an offer ever came. Rejects with OPTION_INVALID.
 */
export async function createWebRTCTransport(options: WebRTCTransportOptions): Promise<WebRTCTransport> {
  const { params = {}, logger, callerTimeoutMs = 10_000, pacer = createPacer(), iceServers = [], ...peers } = options;
  const opus = await loadOpus();
  const connection = createConnection({
    ...peers,
    sessionId: randomUUID(),
    iceServers,
    callerTimeoutMs,
    opus,
    pacer,
    logger,
  });
  return { transport: openTransport({ connection, params, opus, pacer, logger }), connection };
}

/** What the transport of a connection is built from. */
export interface OpenTransportOptions {
  readonly connection: Connection;
  readonly params?: WebRTCParams;
  readonly opus: Opus;
  readonly pacer: Pacer;
  readonly logger: Logger;
}

/** The transport of one caller. Throws OPTION_INVALID. */
export function openTransport(options: OpenTransportOptions): Transport<WebRTCEvents> {
  const { connection, params = {}, opus, pacer, logger } = options;
  const { audioInEnabled = true, audioInSampleRate = 16_000 } = params;
  const { audioOutBitrate: bitrate, audioOutComplexity: complexity, audioOutDtx: dtx } = params;
  requireWithin("audioOutBitrate", bitrate, 6_000, 510_000);
  requireWithin("audioOutComplexity", complexity, 0, 10);
  return createMediaTransport({
    name: "webrtc",
    params,
    pacer,
    logger,
    open(caller) {
      const port = createWebRTCPort(connection, { opus, pacer, bitrate, complexity, dtx });
      connection.attach(caller, audioInEnabled ? audioInSampleRate : 0);
      return port;
    },
  });
}

function requireWithin(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new RunnerError("OPTION_INVALID", `The webrtc transport's ${name} cannot be ${value}.`, {
    fix: `Give a whole number from ${least} to ${most}.`,
  });
}
