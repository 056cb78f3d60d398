import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A phone call over Telnyx. */
export interface TelnyxCallData extends CallData {
  /** The id that all legs of the call share. */
  readonly callSessionId?: string;
  /** The `client_state` of the stream, in base64. */
  readonly clientState?: string;
  /** The `custom_parameters` of the stream. */
  readonly body?: Readonly<Record<string, string>>;
}

/** The arguments of a bot whose caller dialed a Telnyx number. */
export interface TelnyxRunnerArguments extends SessionArguments<"telnyx"> {
  readonly callData: TelnyxCallData;
}

/** The params of a call over Telnyx. */
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
