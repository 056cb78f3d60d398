import type { RunnerArguments } from "@pipecat-ts/runner-core";
import { expectTypeOf, test } from "vitest";
import type { SmallWebRTCRunnerArguments, WhatsAppCallData } from "./index.ts";

test("a bot that imports only this package has the arguments of webrtc", () => {
  expectTypeOf<Extract<RunnerArguments, { transport: "webrtc" }>>().toEqualTypeOf<SmallWebRTCRunnerArguments>();
  expectTypeOf<WhatsAppCallData>().toExtend<NonNullable<RunnerArguments["callData"]>>();
});
