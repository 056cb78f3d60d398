import { until } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DailyApi, openDailyApi } from "./test/daily-api.ts";
import { openRoomsRunner } from "./test/rooms-runner.ts";

let api: DailyApi;
beforeEach(async () => {
  api = await openDailyApi({ hasRateLimit: true });
});
afterEach(() => api[Symbol.asyncDispose]());

const start = { transport: "daily", createDailyRoom: true };
const deletions = () => api.requests.filter(({ method }) => method === "DELETE");

test("22 callers at once, more than Daily takes in a second, all get their room", async () => {
  await using rooms = await openRoomsRunner(api);
  const answers = await Promise.all(Array.from({ length: 22 }, () => rooms.post("/start", start)));
  expect(answers.map(({ status }) => status)).toEqual(Array(22).fill(200));
  expect(api.rooms.size).toBe(22);
});

test("rooms of sessions that end together are deleted one after the other, which holds no session up", async () => {
  await using rooms = await openRoomsRunner(api, { daily: { deleteRooms: true } });
  await Promise.all(Array.from({ length: 6 }, () => rooms.post("/start", start)));
  rooms.finish();
  await until("the sessions are over", () => [...rooms.runner.sessions].length === 0, 500);
  await until("the rooms are gone", () => api.rooms.size === 0, 6_000);
  expect(deletions()).toHaveLength(6);
  expect(rooms.logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("a runner that stops deletes what it can, and says how much it could not", async () => {
  const rooms = await openRoomsRunner(api, { daily: { deleteRooms: true } });
  await Promise.all(Array.from({ length: 6 }, () => rooms.post("/start", start)));
  const startMs = performance.now();
  await rooms.runner.close();
  expect(performance.now() - startMs).toBeLessThan(2_500);
  const left = api.rooms.size;
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(5);
  expect(rooms.logger.lines.filter(({ level }) => level !== "info" && level !== "debug")).toMatchObject([
    { level: "warn", message: `Rooms that were not deleted in time, and expire by themselves: ${left}.` },
  ]);
});
