import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/caller.ts";
import type { Crash } from "../server/bot.ts";
import { expectEcho, startBystander } from "../server/callers.ts";
import { expectEndings, expectNothingLeft, isEnding } from "../server/expectations.ts";
import { type Server, startServer } from "../server/server.ts";

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterEach(() => void server.takeLog());
afterAll(() => server[Symbol.asyncDispose]());

test("200 calls leave nothing behind", async (context) => {
  await expectNothingLeft(context, server, {
    count: 200,
    atATime: 20,
    async session(index) {
      const caller = await server.call({ body: { caller: index } });
      await expectEcho(caller);
      if (index % 2 === 0) await caller.hangUp();
      else caller.drop();
      await caller.closed;
    },
  });
  await expectEndings(server, { "caller-left": 200 });
});

test("200 callers that a full server rejects leave nothing behind", async (context) => {
  const places = 10;
  await using server = await startServer({ maxSessions: places });
  const bare = `ws://127.0.0.1:${server.port}/ws-client`;
  const served: WebSocketCaller[] = [];
  for (let place = 0; place < places; place++) served.push(await server.call());
  // Their bots allocate their media before the first measurement.
  await Promise.all(served.map(expectEcho));
  await expectNothingLeft(context, server, {
    count: 200,
    atATime: 10,
    async session(index) {
      if (index % 4 === 0) expect(await server.start()).toMatchObject({ status: 429, json: { code: "AT_CAPACITY" } });
      if (index % 4 === 1) await expect(connectCaller(bare)).rejects.toMatchObject({ code: "AT_CAPACITY" });
      if (index % 4 === 2)
        await expect(connectCaller(`${bare}/nobody`)).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
      if (index % 4 === 3) expect(await server.start({ transport: "pigeon" })).toMatchObject({ status: 400 });
    },
  });
  expect(server.log.filter(isEnding)).toEqual([]);
  await Promise.all(served.map(expectEcho));
  await Promise.all(served.map((caller) => caller.hangUp()));
});

test("200 sessions without a caller leave nothing behind", async (context) => {
  await server.ask("stopTime");
  let started = 0;
  await expectNothingLeft(context, server, {
    count: 200,
    atATime: 20,
    async session() {
      expect(await server.start()).toMatchObject({ status: 200 });
      started++;
    },
    async end() {
      await server.ask("passTime", 119_900);
      expect(await server.ask("counts")).toEqual({ pending: started, active: 0 });
      await server.ask("passTime", 100);
      started = 0;
    },
  });
  await server.ask("restoreTime");
  await expectEndings(server, { abandoned: 200 });
});

test("200 failing bots leave nothing behind and do not disturb another call", async (context) => {
  const crashes: readonly Crash[] = ["body", "later", "timer", "promise"];
  const bystander = await startBystander(await server.call());
  await expectNothingLeft(context, server, {
    count: 200,
    atATime: 50,
    async session(index) {
      const caller = await server.call({ body: { crash: crashes[index % crashes.length] } });
      expect(await caller.closed).toEqual({ code: 1011, reason: "bot-failed" });
    },
  });
  await bystander.expectEcho();
  await bystander.hangUp();
  await expectEndings(server, { "bot-failed": 200, "caller-left": 1 });
});
