import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A phone call over Exotel. */
export interface ExotelCallData extends CallData {
  readonly accountSid?: string;
  /** The custom parameters of the applet, at most three. */
  readonly body?: Readonly<Record<string, string>>;
}

/** The arguments of a bot whose caller dialed an Exotel number. */
export interface ExotelRunnerArguments extends SessionArguments<"exotel"> {
  readonly callData: ExotelCallData;
}

/** The params of a call over Exotel. */
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
