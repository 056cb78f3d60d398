export type { PhoneTransport } from "@pipecat-ts/runner-telephony";
export type { PlivoCallData, PlivoParams, PlivoRunnerArguments } from "./arguments.ts";
