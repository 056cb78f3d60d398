import type { SessionArguments, TransportParams } from "@pipecat-ts/runner-core";
import type { DailyTransport } from "./call/daily-transport.ts";

/** What a bot receives whose caller comes by a Daily room. */
export interface DailyRunnerArguments extends SessionArguments<"daily"> {
  /** The room, as a browser opens it. */
  readonly roomUrl: string;
  /** The bot's own token: an owner's, good for this room until it expires. Never log it, never give it to a caller. */
  readonly token: string;
}

/**
 * `args.body` of a bot that a phone call started by Daily's dial-in. `createTransport` reads it by itself.
 * https://docs.daily.co/guides/products/dial-in-dial-out/dialin-pinless
 */
export interface DailyDialinRequest {
  readonly dialin_settings: {
    readonly call_id: string;
    readonly call_domain: string;
    /** The number that was called. Never log it. */
    readonly To: string;
    /** The caller's number. Never log it. */
    readonly From: string;
    readonly sip_headers?: Readonly<Record<string, unknown>>;
  };
  /** Never log it. */
  readonly daily_api_key: string;
  readonly daily_api_url: string;
}

/** What a bot may choose about a Daily room. */
export interface DailyParams extends TransportParams {
  /** The name that others in the room see. Default `Pipecat Bot`; `user_name` of the token comes before it. */
  readonly userName?: string;
  /**
   * Rate in Hz at which the bot's voice goes to the browser, which resamples everything else: a multiple of 50 from 8,000
   * to 48,000. Default 24,000.
   */
  readonly audioOutSampleRate?: number;
  /** Bitrate of the bot's voice in the room, in bits a second. Default: Daily's choice for speech. */
  readonly audioOutBitrate?: number;
  /**
   * How long the bot waits in the room for the first caller, in ms, up to 2,147,483,647; `Infinity` waits, and 0 does.
   * Default: the runner's setting, 300,000.
   */
  readonly emptyRoomTimeoutMs?: number;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    daily: DailyRunnerArguments;
  }
  interface TransportParamsByTransport {
    daily: DailyParams;
  }
  interface TransportsByTransport {
    daily: DailyTransport;
  }
}
