export type { PhoneTransport } from "@pipecat-ts/runner-telephony";
export type { ExotelCallData, ExotelParams, ExotelRunnerArguments } from "./arguments.ts";
