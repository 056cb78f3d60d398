import type { DoctorCheck, DoctorContext } from "@pipecat-ts/runner-core";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DailyOptions, dailyOptions } from "./options.ts";
import plugin from "./plugin.ts";
import { browserProfiles } from "./test/browser-processes.ts";
import { apiKey, type DailyApi, openDailyApi } from "./test/daily-api.ts";

let api: DailyApi;
beforeAll(async () => {
  api = await openDailyApi();
});
afterAll(() => api[Symbol.asyncDispose]());

function checksFor(given: Partial<DailyOptions>): readonly DoctorCheck[] {
  const options = { ...resolveOptions(dailyOptions, { given: {}, env: {} }), apiUrl: api.url, ...given };
  return plugin.advanced?.doctor?.(options as never, {} as DoctorContext) ?? [];
}

test("Daily accepts the key, and Chromium opens the page and is gone afterwards", async () => {
  const chromium = process.env.PIPECAT_CHROMIUM;
  const checks = checksFor({ apiKey, ...(chromium !== undefined && { chromium }) });
  expect(checks.map(({ name }) => name)).toEqual(["API key", "Chromium"]);
  const { signal } = new AbortController();
  for (const { run } of checks) expect(await run(signal)).toMatchObject({ state: "passed" });
  expect(browserProfiles()).toEqual([]);
  expect(checksFor({ apiKey: undefined })).toEqual([]);
});

test("a key that Daily rejects, a program that is missing, and one that does not open the page fail with their fix", async () => {
  const { signal } = new AbortController();
  const [key] = checksFor({ apiKey: "wrong" });
  await expect(async () => await key?.run(signal)).rejects.toMatchObject({
    fix: expect.stringContaining("DAILY_API_KEY"),
  });
  const [, missing] = checksFor({ apiKey, chromium: "/nowhere/chromium" });
  await expect(async () => await missing?.run(signal)).rejects.toMatchObject({
    fix: expect.stringContaining("PIPECAT_CHROMIUM"),
  });
  const [, other] = checksFor({ apiKey, chromium: "/bin/true" });
  await expect(async () => await other?.run(signal)).rejects.toMatchObject({ code: "DAILY_BROWSER_CRASHED" });
  expect(browserProfiles()).toEqual([]);
});
