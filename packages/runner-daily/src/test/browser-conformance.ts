import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createDailyPlugin } from "../plugin.ts";
import { openBrowserRooms } from "./browser-rooms.ts";
import { apiKey } from "./daily-api.ts";

/**
 * Declares tests of the requirements with these ids, or with ids that begin like this, for rooms in Chromium.
 * conformance.realtime.test.ts checks all requirements, with rooms in memory.
 */
export async function describeInChromium(only: readonly string[]): Promise<void> {
  const rooms = await openBrowserRooms({ maxMessageSize: 1024 * 1024 });
  afterAll(() => rooms[Symbol.asyncDispose]());
  describeTransport(
    {
      plugin: createDailyPlugin(() => rooms.client),
      entry: import.meta.resolve("@pipecat-ts/runner-daily"),
      options: { apiKey, apiUrl: rooms.api.url, deleteRooms: true, emptyRoomTimeout: 3 },
      start: { createDailyRoom: true },
      startsBot: true,
      rawInput: false,
      // Opus and the browser's jitter buffer.
      levelToleranceDb: 2,
      jitterBuffer: true,
      // With the 100 ms of the suite, three times the limit in audio.alone.test.ts, for busy machines.
      wireDelayMs: 350,
      lossNoticedMs: 5_000,
      async connect({ start }) {
        const { dailyRoom, dailyToken } = Object(start?.reply) as Record<string, string>;
        return await rooms.join(String(dailyRoom), String(dailyToken));
      },
    },
    { timeoutMs: 15_000, sequential: true, only },
  );
}
