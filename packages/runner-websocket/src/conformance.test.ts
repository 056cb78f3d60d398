import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { connectCaller } from "./fake-caller.ts";
import plugin from "./plugin.ts";

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-websocket"),
  walkIn: true,
  connect: ({ url, start }) =>
    connectCaller(String(start?.reply.wsUrl ?? Object.assign(new URL("/ws-client", url), { protocol: "ws:" }))),
});
