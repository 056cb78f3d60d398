import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A call as Twilio announces it. */
export interface TwilioCallData extends CallData {
  /** Absent where a page acts as a phone. */
  readonly accountSid?: string;
  /** The `<Parameter>`s of a hand-written document; `from_number` and `to_number` among them are `from` and `to`, too. */
  readonly body?: Readonly<Record<string, string>>;
}

/** What a bot receives whose caller rang a Twilio number. */
export interface TwilioRunnerArguments extends SessionArguments<"twilio"> {
  readonly callData: TwilioCallData;
}

/** What a bot may choose about a call by Twilio. */
export interface TwilioParams extends PhoneParams {}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    twilio: TwilioRunnerArguments;
  }
  interface TransportParamsByTransport {
    twilio: TwilioParams;
  }
  interface TransportsByTransport {
    twilio: PhoneTransport;
  }
}
