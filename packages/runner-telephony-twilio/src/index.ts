export type { PhoneTransport } from "@pipecat-ts/runner-telephony";
export type { TwilioCallData, TwilioParams, TwilioRunnerArguments } from "./arguments.ts";
