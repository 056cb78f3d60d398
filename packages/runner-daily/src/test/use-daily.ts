import { afterEach, beforeEach } from "vitest";
import { type DailyApi, openDailyApi } from "./daily-api.ts";
import { openRoomsRunner, type RoomsRunner, type RoomsRunnerOptions } from "./rooms-runner.ts";

/** What each test of a file has of Daily. */
export interface UsedDaily {
  /** The stand-in of this test. */
  readonly api: DailyApi;
  /** Opens a runner on it, which is closed with the test. */
  open(options?: RoomsRunnerOptions): Promise<RoomsRunner>;
}

/** Call once in a test file: each test gets a stand-in for Daily's REST API of its own, and lets go of it. */
export function useDaily(): UsedDaily {
  let api: DailyApi;
  const opened: RoomsRunner[] = [];
  beforeEach(async () => {
    api = await openDailyApi();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each[Symbol.asyncDispose]()));
    await api[Symbol.asyncDispose]();
  });
  return {
    get api() {
      return api;
    },
    async open(options) {
      const each = await openRoomsRunner(api, options);
      opened.push(each);
      return each;
    },
  };
}
