import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A call as Telnyx announces it. */
export interface TelnyxCallData extends CallData {
  /** One id for all legs of the call. */
  readonly callSessionId?: string;
  /** What was given as `client_state` when the stream was started, base64. */
  readonly clientState?: string;
  /** `custom_parameters` of the stream. */
  readonly body?: Readonly<Record<string, string>>;
}

/** What a bot receives whose caller rang a Telnyx number. */
export interface TelnyxRunnerArguments extends SessionArguments<"telnyx"> {
  readonly callData: TelnyxCallData;
}

/** What a bot may choose about a call by Telnyx. */
export interface TelnyxParams extends PhoneParams {}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    telnyx: TelnyxRunnerArguments;
  }
  interface TransportParamsByTransport {
    telnyx: TelnyxParams;
  }
  interface TransportsByTransport {
    telnyx: PhoneTransport;
  }
}
