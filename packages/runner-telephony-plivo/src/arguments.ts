import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A call as Plivo announces it. */
export interface PlivoCallData extends CallData {
  readonly accountId?: string;
  /** `extraHeaders` of a hand-written document. */
  readonly body?: Readonly<Record<string, string>>;
}

/** What a bot receives whose caller rang a Plivo number. */
export interface PlivoRunnerArguments extends SessionArguments<"plivo"> {
  readonly callData: PlivoCallData;
}

/** What a bot may choose about a call by Plivo. */
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
