import { type Logger, RunnerError, type Transport } from "@pipecat-ts/runner-core";
import { createMediaTransport, createPacer, type Pacer } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import type { WebSocketParams } from "./arguments.ts";
import { createWebSocketPort } from "./port.ts";
import { receive, type SocketReception } from "./reception.ts";

/** What a WebSocket transport is built from. */
export interface WebSocketTransportOptions {
  /** An open socket of a `ws` server. */
  readonly websocket: WebSocket;
  readonly params?: WebSocketParams;
  readonly logger: Logger;
  /** The metronome that the calls of one process share. Default: one of its own. */
  readonly pacer?: Pacer;
}

/**
 * A transport over a socket that you accepted yourself, without a runner. Call it before anything is awaited, or what
 * the caller says first is lost. Throws OPTION_INVALID.
 */
export function createWebSocketTransport(options: WebSocketTransportOptions): Transport {
  return openTransport(receive(options.websocket, options.logger), options);
}

/** The transport of a caller who is already being listened to. */
export function openTransport(reception: SocketReception, options: WebSocketTransportOptions): Transport {
  const { websocket, params = {}, logger, pacer = createPacer() } = options;
  const sampleRate = params.audioOutSampleRate ?? 24_000;
  if (!Number.isInteger(sampleRate / 25) || sampleRate < 8_000 || sampleRate > 192_000) {
    throw new RunnerError("OPTION_INVALID", `The websocket transport's audioOutSampleRate cannot be ${sampleRate}.`, {
      fix: "Give a multiple of 25 from 8,000 to 192,000 Hz: the rate at which the client plays.",
    });
  }
  return createMediaTransport({
    name: "websocket",
    params,
    pacer,
    logger,
    open(caller) {
      reception.attach(caller);
      return createWebSocketPort(websocket, { sampleRate, clock: pacer.clock });
    },
  });
}
