import type { SessionArguments, TransportParams } from "@pipecat-ts/runner-core";
import type { DailyTransport } from "./transport.ts";

/** The arguments of a bot in a Daily room. */
export interface DailyRunnerArguments extends SessionArguments<"daily"> {
  /** The URL of the room. */
  readonly roomUrl: string;
  /** The bot's token: an owner's token for this room. Never log it, and never send it to a caller. */
  readonly token: string;
}

/**
 * `args.body` of a bot that answers a phone call (Daily's dial-in). `createTransport` reads it, too.
 * https://docs.daily.co/guides/products/dial-in-dial-out/dialin-pinless
 */
export interface DailyDialinRequest {
  readonly dialin_settings: {
    readonly call_id: string;
    readonly call_domain: string;
    /** The called number. Never log it. */
    readonly To: string;
    /** The caller's number. Never log it. */
    readonly From: string;
    readonly sip_headers?: Readonly<Record<string, unknown>>;
  };
  /** Never log it. */
  readonly daily_api_key: string;
  readonly daily_api_url: string;
}

/** The params of a bot in a Daily room. */
export interface DailyParams extends TransportParams {
  /** The name that other participants see. Default `Pipecat Bot`; `user_name` in the token overrides it. */
  readonly userName?: string | undefined;
  /**
   * Sample rate in Hz of the bot's audio on its way to the browser: a multiple of 50 from 8,000 to 48,000. Default 24,000.
   */
  readonly audioOutSampleRate?: number | undefined;
  /** Bitrate of the bot's audio in the room, in bits per second. Default: Daily's preset for speech. */
  readonly audioOutBitrate?: number | undefined;
  /**
   * How long the bot waits in the room for the first caller, in ms, up to 2,147,483,647. 0 and `Infinity` wait until the
   * room expires. Default: `--daily-empty-room-timeout`, which is 300 s.
   */
  readonly emptyRoomTimeoutMs?: number | undefined;
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
