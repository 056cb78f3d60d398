import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** What a bot receives when its caller dialed a SignalWire number. */
export interface SignalWireRunnerArguments extends SessionArguments<"signalwire"> {
  readonly callData: CallData;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    signalwire: SignalWireRunnerArguments;
  }
  interface TransportParamsByTransport {
    signalwire: PhoneParams;
  }
  interface TransportsByTransport {
    signalwire: PhoneTransport;
  }
}
