import type { RunnerArguments } from "@pipecat-ts/runner-core";
import { expect, expectTypeOf, test } from "vitest";
import { callDataOf } from "./arguments.ts";
import type { SmallWebRTCRunnerArguments, WhatsAppCallData } from "./index.ts";
import { type CallConnect, parseCallEvents } from "./messages.ts";
import { business, connectOfUser, numbers, userId } from "./test/webhooks.ts";

test("a bot that imports only this package has the arguments of webrtc", () => {
  expectTypeOf<Extract<RunnerArguments, { transport: "webrtc" }>>().toEqualTypeOf<SmallWebRTCRunnerArguments>();
  expectTypeOf<WhatsAppCallData>().toExtend<NonNullable<RunnerArguments["callData"]>>();
});

test("the call data of a caller with a username has a user id and no number", () => {
  const [call] = parseCallEvents(connectOfUser("wacid.1", "v=0")) as [CallConnect];
  expect(callDataOf(call)).toEqual({
    callId: "wacid.1",
    streamId: "wacid.1",
    userId,
    to: numbers.called,
    callerName: "Ada",
    phoneNumberId: business.phoneNumberId,
  });
});
