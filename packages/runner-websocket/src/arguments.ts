import type { SessionArguments, TransportParams } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";

/** What a bot receives when its caller uses a plain WebSocket. */
export interface WebSocketRunnerArguments extends SessionArguments<"websocket"> {
  /**
   * The caller's socket. `createTransport` reads and writes it. Use it yourself only to speak another wire format; attach
   * listeners before you await anything, and wrap them with `args.session.bind`.
   */
  readonly websocket: WebSocket;
}

/** The choices of a bot on a plain WebSocket. */
export interface WebSocketParams extends TransportParams {
  /**
   * Sample rate of the sent audio in Hz: a multiple of 25 from 8,000 to 192,000. Default 24,000, because Pipecat's JavaScript
   * client plays everything at its own `playerSampleRate`, whatever a frame says.
   */
  readonly audioOutSampleRate?: number | undefined;
  /**
   * Look at the pictures of an eval harness with `transport.video`, as at a camera. Other callers have no camera on this transport.
   * Default false.
   */
  readonly videoInEnabled?: boolean | undefined;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    websocket: WebSocketRunnerArguments;
  }
  interface TransportParamsByTransport {
    websocket: WebSocketParams;
  }
}
