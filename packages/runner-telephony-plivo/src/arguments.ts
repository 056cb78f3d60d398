import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A phone call over Plivo. */
export interface PlivoCallData extends CallData {
  readonly accountId?: string;
  /** The `extraHeaders` of your own XML. */
  readonly body?: Readonly<Record<string, string>>;
}

/** The arguments of a bot whose caller dialed a Plivo number. */
export interface PlivoRunnerArguments extends SessionArguments<"plivo"> {
  readonly callData: PlivoCallData;
}

/** The params of a call over Plivo. */
export interface PlivoParams extends PhoneParams {}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    plivo: PlivoRunnerArguments;
  }
  interface TransportParamsByTransport {
    plivo: PlivoParams;
  }
  interface TransportsByTransport {
    plivo: PhoneTransport;
  }
}
