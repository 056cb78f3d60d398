import type { CallData, SessionArguments } from "@pipecat-ts/runner-core";
import type { PhoneParams, PhoneTransport } from "@pipecat-ts/runner-telephony";

/** A phone call over Twilio. */
export interface TwilioCallData extends CallData {
  /** Absent for a web page that acts as a phone. */
  readonly accountSid?: string;
  /** The `<Parameter>` elements of your own TwiML. `from_number` and `to_number` are also in `from` and `to`. */
  readonly body?: Readonly<Record<string, string>>;
}

/** The arguments of a bot whose caller dialed a Twilio number. */
export interface TwilioRunnerArguments extends SessionArguments<"twilio"> {
  readonly callData: TwilioCallData;
}

/** The params of a call over Twilio. */
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
