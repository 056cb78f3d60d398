import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { type Redis, startRedis } from "../../../e2e/fleet/redis.ts";
import { describeDirectory, reportOf } from "../../runner-fleet/src/test/directory-checks.ts";
import { createRedisDirectory } from "./directory.ts";

const redis: Redis = await startRedis();
afterAll(async () => await redis[Symbol.asyncDispose]());

describeDirectory("in Redis", () => createRedisDirectory(redis.url), sleep);

test("a server that hangs is given up after 1 s, one that is gone at once, and one that returns is used again", async () => {
  const directory = createRedisDirectory(redis.url);
  await directory.list();
  redis.freeze();
  const beganMs = performance.now();
  await expect(directory.claim("call", "a", 60_000)).rejects.toMatchObject({ code: "DIRECTORY_UNREACHABLE" });
  expect(performance.now() - beganMs).toBeGreaterThan(900);
  redis.thaw();
  await redis.replace();
  await expect.poll(async () => await directory.beat(reportOf("0000000a"), 60_000).catch(() => [])).toHaveLength(1);
  await directory.close();
  await expect(directory.list()).rejects.toMatchObject({ code: "DIRECTORY_UNREACHABLE" });
});

test("a node starts while the server is gone", async () => {
  const directory = createRedisDirectory("redis://127.0.0.1:1");
  await expect(directory.beat(reportOf("0000000a"), 60_000)).rejects.toMatchObject({ code: "DIRECTORY_UNREACHABLE" });
  await directory.close();
});

test("another URL is rejected without printing it", () => {
  expect(() => createRedisDirectory("http://user:password@host")).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.not.stringContaining("password") }),
  );
});
