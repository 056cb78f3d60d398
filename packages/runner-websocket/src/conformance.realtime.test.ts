import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { connectCaller, socketUrl } from "./caller.ts";
import plugin from "./plugin.ts";

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-websocket"),
  walkIn: true,
  connect: (invitation) => connectCaller(socketUrl(invitation), invitation.start ? {} : { key: invitation.key }),
});
