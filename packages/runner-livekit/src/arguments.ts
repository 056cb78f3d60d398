import type { SessionArguments, TransportParams } from "@pipecat-ts/runner-core";
import type { LiveKitTransport } from "./transport.ts";

/** The arguments of a bot in a LiveKit room. */
export interface LiveKitRunnerArguments extends SessionArguments<"livekit"> {
  /** The URL of the LiveKit server. */
  readonly url: string;
  readonly roomName: string;
  /** The bot's token for this room. Never log it, and never send it to a caller. */
  readonly token: string;
}

/** The params of a bot in a LiveKit room. */
export interface LiveKitParams extends TransportParams {
  /** Sample rate in Hz of the bot's audio on its way to LiveKit: a multiple of 100 from 8,000 to 48,000. Default 24,000. */
  readonly audioOutSampleRate?: number | undefined;
  /**
   * How long the bot waits in the room for the first caller, in ms, up to 2,147,483,647. 0 and `Infinity` wait without limit.
   * Default: `--livekit-empty-room-timeout`, which is 300 s. The room is created before the bot runs: LiveKit closes it, and the
   * call ends, about 75 s after the time of that option has passed. To wait longer, raise the option.
   */
  readonly emptyRoomTimeoutMs?: number | undefined;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    livekit: LiveKitRunnerArguments;
  }
  interface TransportParamsByTransport {
    livekit: LiveKitParams;
  }
  interface TransportsByTransport {
    livekit: LiveKitTransport;
  }
}
