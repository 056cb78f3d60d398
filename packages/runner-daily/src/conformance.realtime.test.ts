import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createDailyPlugin } from "./plugin.ts";
import { apiKey, openDailyApi } from "./test/daily-api.ts";
import { createFakeRooms } from "./test/fake-rooms.ts";

const api = await openDailyApi();
const rooms = createFakeRooms(api);
afterAll(() => api[Symbol.asyncDispose]());

describeTransport({
  plugin: createDailyPlugin(() => rooms.client),
  entry: import.meta.resolve("@pipecat-ts/runner-daily"),
  options: {
    apiKey,
    apiUrl: api.url,
    pinlessHmacSecret: "c2VjcmV0",
    // Otherwise callers stay in the room after their bot, and bots wait for callers that never join.
    deleteRooms: true,
    emptyRoomTimeout: 1,
  },
  start: { createDailyRoom: true },
  startsBot: true,
  rawInput: false,
  badStarts: [{ createDailyRoom: true, dailyRoomProperties: { exp: "never" } }, { createDailyRoom: "yes" }],
  clears: true,
  lossNoticedMs: 3_000,
  privateTexts: ["+15551234567"],
  async connect({ start }) {
    const { dailyRoom, dailyToken } = Object(start?.reply) as Record<string, string>;
    return await rooms.join(String(dailyRoom), String(dailyToken));
  },
});
