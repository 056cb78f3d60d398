export type { PhoneTransport } from "@pipecat-ts/runner-telephony";
export type { TelnyxCallData, TelnyxParams, TelnyxRunnerArguments } from "./arguments.ts";
