import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import plugin from "./plugin.ts";
import { connectCaller } from "./test/fake-caller.ts";

describeTransport({
  plugin,
  entry: import.meta.resolve("@pipecat-ts/runner-websocket"),
  walkIn: true,
  connect({ url, start, key }) {
    const bare = Object.assign(new URL("/ws-client", url), { protocol: "ws:" });
    return connectCaller(String(start?.reply.wsUrl ?? bare), start ? undefined : key);
  },
});
