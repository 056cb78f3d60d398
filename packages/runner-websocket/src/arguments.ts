import type { SessionArguments, TransportParams } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";

/** What a bot receives whose caller came in by a plain WebSocket. */
export interface WebSocketRunnerArguments extends SessionArguments<"websocket"> {
  /**
   * The caller's socket. `createTransport` reads and writes it; use it yourself only to speak another wire format, and then
   * listen before you await anything. What throws in a listener of yours on it is outside of any session: catch it there.
   */
  readonly websocket: WebSocket;
}

/** What a bot may choose about a plain WebSocket. */
export interface WebSocketParams extends TransportParams {
  /**
   * Rate in Hz of the audio that is sent: 24,000 unless told otherwise, as Pipecat's JavaScript client plays everything at
   * its own `playerSampleRate`, whatever a frame says. From 8,000 to 192,000 and a multiple of 25.
   */
  readonly audioOutSampleRate?: number;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    websocket: WebSocketRunnerArguments;
  }
  interface TransportParamsByTransport {
    websocket: WebSocketParams;
  }
}
