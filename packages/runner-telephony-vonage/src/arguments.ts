import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A phone call over Vonage. Phone numbers have no plus sign: `15550100`. */
export interface VonageCallData extends CallData {
  /** The conversation of the call: `CON-…`. Absent for an NCCO of your own. */
  readonly conversationId?: string;
  /** The `headers` of the WebSocket endpoint in an NCCO of your own, except `uuid`. Values that are not texts are left out. */
  readonly body?: Readonly<Record<string, string>>;
}

/** The arguments of a bot whose caller dialed a Vonage number. */
export interface VonageRunnerArguments extends SessionArguments<"vonage"> {
  readonly callData: VonageCallData;
}

/** The params of a call over Vonage. */
export interface VonageParams extends PhoneParams {}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    vonage: VonageRunnerArguments;
  }
  interface TransportParamsByTransport {
    vonage: VonageParams;
  }
  interface TransportsByTransport {
    vonage: PhoneTransport;
  }
}
