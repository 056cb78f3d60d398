import { countResources, createRecordingLogger, settleResources, until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { createRoomDeletions } from "./rooms.ts";
import { useDailyFixture } from "./test/daily-runner.ts";

const daily = useDailyFixture({ hasRateLimit: true });

const start = { transport: "daily", createDailyRoom: true };
const deletions = () => daily.api.requests.filter(({ method }) => method === "DELETE");

test("22 simultaneous callers, more than Daily's rate limit, all get a room", async () => {
  const opened = await daily.open();
  const answers = await Promise.all(Array.from({ length: 22 }, () => opened.post("/start", start)));
  expect(answers.map(({ status }) => status)).toEqual(Array(22).fill(200));
  expect(daily.api.rooms.size).toBe(22);
});

test("rooms of sessions that end together are deleted in order, without delaying the sessions", async () => {
  const opened = await daily.open({ daily: { deleteRooms: true } });
  await Promise.all(Array.from({ length: 6 }, () => opened.post("/start", start)));
  opened.finish();
  await until("the sessions have ended", () => [...opened.runner.sessions].length === 0, 500);
  await until("the rooms are deleted", () => daily.api.rooms.size === 0, 6_000);
  expect(deletions()).toHaveLength(6);
  expect(opened.logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("a runner that stops deletes rooms for 1.5 s, and logs how many are left", async () => {
  const opened = await daily.open({ daily: { deleteRooms: true } });
  await Promise.all(Array.from({ length: 6 }, () => opened.post("/start", start)));
  const startMs = performance.now();
  await opened.runner.close();
  expect(performance.now() - startMs).toBeLessThan(2_500);
  const left = daily.api.rooms.size;
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(5);
  expect(opened.logger.lines.filter(({ level }) => level !== "info" && level !== "debug")).toMatchObject([
    {
      level: "warn",
      fields: { rooms: left },
      message: "rooms not deleted before shutdown: they expire on their own",
    },
  ]);
});

test("a runner that stops aborts requests that Daily does not answer, and logs the room that is not deleted", async () => {
  const before = countResources();
  const opened = await daily.open({ daily: { deleteRooms: true } });
  await opened.post("/start", start);
  daily.api.failNext("DELETE", "hang");
  daily.api.failNext("POST /rooms", "hang");
  opened.finish();
  opened.post("/start", start).catch(() => undefined);
  await until("Daily gets both requests", () => deletions().length === 1 && daily.api.requests.length === 5, 2_000);
  await opened.runner.close();
  expect(await settleResources(before)).toEqual([]);
  expect(opened.logger.lines.filter(({ level }) => level === "warn")).toMatchObject([
    { message: "room not deleted: it expires on its own", fields: { err: { code: "DAILY_UNREACHABLE" } } },
  ]);
});

test("half a second passes between two deletions, although a timer may fire 1 ms early", async () => {
  const logger = createRecordingLogger();
  const deletions = createRoomDeletions(logger);
  const startsMs: number[] = [];
  const rest = {
    async deleteRoom() {
      startsMs.push(performance.now());
      await new Promise<void>((resolve) => setImmediate(resolve));
      for (const busyUntilMs = performance.now() + 100; performance.now() < busyUntilMs; );
    },
  };
  deletions.add("first", rest, logger);
  deletions.add("second", rest, logger);
  await until("both rooms are deleted", () => startsMs.length === 2, 2_000);
  expect((startsMs[1] ?? 0) - (startsMs[0] ?? 0)).toBeGreaterThanOrEqual(600);
  await deletions.close(AbortSignal.timeout(1_000));
  expect(logger.lines).toEqual([]);
});
