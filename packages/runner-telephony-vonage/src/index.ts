export type { PhoneTransport } from "@pipecat-ts/runner-telephony";
export type { VonageCallData, VonageParams, VonageRunnerArguments } from "./arguments.ts";
