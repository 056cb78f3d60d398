import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
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

test("connections on which nothing arrives any more are replaced", async () => {
  const port = Number(new URL(redis.url).port);
  const sockets: Socket[] = [];
  let isSilent = false;
  const relay = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    if (!isSilent) socket.pipe(connect(port, "127.0.0.1")).pipe(socket);
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const directory = createRedisDirectory(`redis://127.0.0.1:${(relay.address() as AddressInfo).port}`);
  await directory.list();
  // From now on like a machine that has lost its power: the connection stays, and new ones get no answer either.
  isSilent = true;
  for (const socket of sockets) socket.unpipe();
  const ask = async () => {
    await directory.list().catch(() => undefined);
    return sockets.length;
  };
  await expect.poll(ask, { timeout: 15_000 }).toBe(2);
  isSilent = false;
  await expect
    .poll(async () => await directory.list().catch(() => undefined), { timeout: 15_000 })
    .toEqual(expect.any(Array));
  expect(sockets).toHaveLength(3);
  await directory.close();
  relay.close();
});

test.each([
  ["answers", true],
  ["hangs", false],
])("a directory that closes while it connects to a server that %s leaves no connection", async (_, answers) => {
  const port = Number(new URL(redis.url).port);
  const sockets: Socket[] = [];
  const relay = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    if (answers) socket.pipe(connect(port, "127.0.0.1")).pipe(socket);
    else socket.resume();
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const directory = createRedisDirectory(`redis://127.0.0.1:${(relay.address() as AddressInfo).port}`);
  await directory.close();
  await expect.poll(() => sockets.map(({ closed }) => closed)).toEqual([true]);
  relay.close();
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
