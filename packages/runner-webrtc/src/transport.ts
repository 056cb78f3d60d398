import { type Logger, RunnerError, type Transport } from "@pipecat-ts/runner-core";
import { createMediaTransport, type Pacer } from "@pipecat-ts/runner-media";
import type { WebRTCEvents, WebRTCParams } from "./arguments.ts";
import type { Connection } from "./connection.ts";
import { createWebRTCPort } from "./port.ts";
import type { Opus } from "./voice/opus.ts";

/** What a WebRTC transport is built from. */
export interface WebRTCTransportOptions {
  readonly connection: Connection;
  readonly params?: WebRTCParams;
  readonly opus: Opus;
  readonly pacer: Pacer;
  readonly logger: Logger;
}

/** The transport of one caller. Throws OPTION_INVALID. */
export function openTransport(options: WebRTCTransportOptions): Transport<WebRTCEvents> {
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
