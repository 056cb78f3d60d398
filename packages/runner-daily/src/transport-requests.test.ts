import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { createDailyRest } from "./rooms/rest.ts";
import { apiKey, openDailyApi } from "./test/daily-api.ts";
import { createMemoryRooms } from "./test/memory-rooms.ts";
import { createDailyTransport } from "./transport.ts";

test("changes to others, to a recording and to a transcription reach the engine as they are", async () => {
  const api = await openDailyApi();
  onTestFinished(() => api[Symbol.asyncDispose]());
  const { url, name } = await createDailyRest({ apiKey, apiUrl: api.url }).createRoom({ properties: {}, name: "room" });
  const rooms = createMemoryRooms(api);
  const { engine } = rooms;
  const transport = await createDailyTransport({ roomUrl: url, logger: createRecordingLogger(), engine });
  onTestFinished(() => transport.close("shutdown"));
  await transport.updateParticipants({ ann: { setAudio: false } });
  await transport.eject("ann");
  await transport.updateRecording({ layout: { preset: "audio-only" } });
  await transport.updateTranscription({ participants: ["ann"] });
  expect(rooms.bots(name)[0]?.requests).toEqual([
    { method: "updateParticipants", args: [{ ann: { setAudio: false } }] },
    { method: "updateParticipant", args: ["ann", { eject: true }] },
    { method: "updateRecording", args: [{ layout: { preset: "audio-only" } }] },
    { method: "updateTranscription", args: [{ participants: ["ann"] }] },
  ]);
});
