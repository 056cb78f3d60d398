import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { connectCaller, endpointOf } from "./caller.ts";
import plugin from "./plugin.ts";

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-webrtc"),
  // In s. The default is 10.
  options: { callerTimeout: 1 },
  lossNoticedMs: 3_000,
  levelToleranceDb: 3,
  jitterBuffer: true,
  walkIn: true,
  connect: (invitation) => connectCaller(endpointOf(invitation), {}, invitation.key),
});
