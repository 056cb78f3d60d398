import type { DoctorCheck } from "@pipecat-ts/runner-core";
import { createDailyRest } from "./api.ts";
import type { DailyClient } from "./client.ts";
import type { DailyOptions } from "./options.ts";

/** How long Daily may take to answer, in ms. */
const apiMs = 4_000;

/** The checks of `pipecat-runner doctor`: the API key, and the browser in which bots join rooms. None without a key. */
export function doctorChecks({ apiKey, apiUrl }: DailyOptions, { probe }: DailyClient): readonly DoctorCheck[] {
  if (apiKey === undefined) return [];
  const key: DoctorCheck = {
    name: "API key",
    async run() {
      await createDailyRest({ apiKey, apiUrl, timeoutMs: apiMs, attempts: 1 }).checkKey();
      return { state: "passed", detail: "Daily accepts it" };
    },
  };
  if (!probe) return [key];
  const chromium: DoctorCheck = {
    name: "Chromium",
    async run(signal) {
      await probe(signal);
      return { state: "passed", detail: "it opens the page in which bots join rooms" };
    },
  };
  return [key, chromium];
}
