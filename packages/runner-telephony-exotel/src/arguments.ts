import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A call as Exotel announces it. */
export interface ExotelCallData extends CallData {
  readonly accountSid?: string;
  /** The custom parameters of the applet: three at most. */
  readonly body?: Readonly<Record<string, string>>;
}

/** What a bot receives whose caller rang an Exotel number. */
export interface ExotelRunnerArguments extends SessionArguments<"exotel"> {
  readonly callData: ExotelCallData;
}

/** What a bot may choose about a call by Exotel. */
export interface ExotelParams extends PhoneParams {}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    exotel: ExotelRunnerArguments;
  }
  interface TransportParamsByTransport {
    exotel: ExotelParams;
  }
  interface TransportsByTransport {
    exotel: PhoneTransport;
  }
}
