import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll, describe } from "vitest";
import plugin from "./plugin.ts";
import { account, serverProgram, startLiveKitServer } from "./test/livekit-server.ts";
import { joinRoom } from "./test/rtc-caller.ts";

const server = serverProgram === undefined ? undefined : await startLiveKitServer();
afterAll(() => server?.[Symbol.asyncDispose]());

describe.skipIf(server === undefined)("against a LiveKit server", () => {
  describeTransport(
    {
      plugin,
      entry: import.meta.resolve("@pipecat-ts/runner-livekit"),
      options: { url: server?.url, ...account, emptyRoomTimeout: 3 },
      startsBot: true,
      // Opus and the jitter buffer.
      levelToleranceDb: 2,
      jitterBuffer: true,
      wireDelayMs: 250,
      lossNoticedMs: 5_000,
      connect: async ({ start }) => await joinRoom(String(start?.reply.url), String(start?.reply.token)),
    },
    { timeoutMs: 15_000, sequential: true },
  );
});
