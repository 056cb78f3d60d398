import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { afterAll } from "vitest";
import { createLiveKitPlugin } from "./plugin.ts";
import { createFakeRooms } from "./test/fake-rooms.ts";
import { apiKey, apiSecret, openLiveKitApi } from "./test/livekit-api.ts";

const api = await openLiveKitApi();
const rooms = createFakeRooms(api);
afterAll(() => api[Symbol.asyncDispose]());

describeTransport({
  plugin: createLiveKitPlugin(() => rooms.client),
  entry: import.meta.resolve("@pipecat-ts/runner-livekit"),
  // Bots wait for callers that never join.
  options: { url: api.url, apiKey, apiSecret, emptyRoomTimeout: 1 },
  startsBot: true,
  clears: true,
  lossNoticedMs: 3_000,
  async connect({ start }) {
    return await rooms.join(String(start?.reply.token));
  },
});
