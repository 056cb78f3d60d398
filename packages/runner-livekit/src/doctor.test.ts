import { type DoctorResult, resolveOptions } from "@pipecat-ts/runner-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LiveKitOptions, livekitOptions } from "./options.ts";
import plugin from "./plugin.ts";
import { apiKey, apiSecret, type LiveKitApi, openLiveKitApi } from "./test/livekit-api.ts";

let api: LiveKitApi;
beforeAll(async () => {
  api = await openLiveKitApi();
});
afterAll(() => api[Symbol.asyncDispose]());

/** The results of the plugin's checks, by name. */
async function results(given: Partial<LiveKitOptions>): Promise<Record<string, DoctorResult>> {
  const options = resolveOptions(livekitOptions, { given, env: {} });
  const checks = plugin.advanced?.doctor?.(options, { settings: {} as never, roundTrip: undefined }) ?? [];
  const run = checks.map(async ({ name, run }) => [name, await run(new AbortController().signal)] as const);
  return Object.fromEntries(await Promise.all(run));
}

test("a key that the server accepts passes, and no room is created", async () => {
  expect(await results({ url: api.url, apiKey, apiSecret })).toMatchObject({ "API key": { state: "passed" } });
  expect(api.requests.map(({ method }) => method)).toEqual(["ListRooms"]);
  expect(api.rooms.size).toBe(0);
});

test("a wrong secret fails, and the fix names the variables", async () => {
  await expect(results({ url: api.url, apiKey, apiSecret: "wrong" })).rejects.toMatchObject({
    code: "LIVEKIT_REFUSED",
    message: "LiveKit rejects ListRooms: 401 unauthenticated.",
    fix: expect.stringContaining("LIVEKIT_API_SECRET"),
  });
});

test("a server that does not answer fails after one attempt", async () => {
  await expect(results({ url: "ws://127.0.0.1:9", apiKey, apiSecret })).rejects.toMatchObject({
    code: "LIVEKIT_UNREACHABLE",
    fix: expect.stringContaining("URL"),
  });
  const before = api.requests.length;
  api.failNext(500);
  await expect(results({ url: api.url, apiKey, apiSecret })).rejects.toMatchObject({ code: "LIVEKIT_REFUSED" });
  expect(api.requests.length - before).toBe(1);
});

test("without the settings, the check of the transport already names them", async () => {
  expect(await results({ apiKey, apiSecret })).toEqual({});
});
