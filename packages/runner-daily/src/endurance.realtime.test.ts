import { createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { countSettledResources, createRecordingLogger, send, settleResources, until } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { createDailyPlugin } from "./plugin.ts";
import { apiKey, openDailyApi } from "./test/daily-api.ts";
import { createFakeRooms } from "./test/fake-rooms.ts";

async function openRooms() {
  const api = await openDailyApi();
  const rooms = createFakeRooms(api);
  const logger = createRecordingLogger();
  const runner = createRunner({
    async bot(args: RunnerArguments) {
      const { fails } = Object(args.body) as { readonly fails?: boolean };
      const transport = await createTransport(args, { daily: () => ({}) });
      if (fails) throw new Error("the bot fails");
      await transport.input.pipeTo(transport.output);
    },
    plugins: [createDailyPlugin(() => rooms.client)],
    pluginOptions: { daily: { apiKey, apiUrl: api.url, emptyRoomTimeout: 1 } },
    // Without a key, a session whose bot failed waits up to 3 s for its caller, to tell the reason.
    maxSessions: 400,
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  await runner.listen();
  onTestFinished(async () => {
    await runner.close();
    await api[Symbol.asyncDispose]();
  });

  const start = (body?: unknown) =>
    send(new URL("/start", runner.url), { method: "POST", body: { createDailyRoom: true, body } });

  return {
    runner,
    logger,
    start,
    async call(body?: unknown) {
      const { dailyRoom, dailyToken } = (await start(body)).json as Record<string, string>;
      await until(
        "the bot is in the room",
        () => rooms.bots(String(dailyRoom).split("/").at(-1) ?? "").length > 0,
        5_000,
      );
      return await rooms.join(String(dailyRoom), String(dailyToken));
    },
    ended: (timeoutMs: number) => until("all sessions end", () => [...runner.sessions].length === 0, timeoutMs),
  };
}

test("1,000 sessions leave nothing behind, however they end", async () => {
  const { runner, logger, start, call, ended } = await openRooms();
  const scenarios: readonly (() => Promise<unknown>)[] = [
    async () => await (await call()).hangUp(),
    async () => (await call()).drop(),
    () => start({ fails: true }),
    () => start(), // no caller joins
    () => start("x".repeat(2 * 1024 * 1024)), // rejected
  ];
  for (const run of scenarios) await run();
  await ended(10_000);
  const before = await countSettledResources();
  for (let session = 0; session < 1_000; session += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => scenarios[index % scenarios.length]?.()));
  }
  await ended(20_000);
  expect(await settleResources(before, 10_000)).toEqual([]);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  const endings = logger.lines.filter(({ message }) => message.startsWith("session ended"));
  expect(endings).toHaveLength(4 * 201);
});

test("20 calls continue while the runner drains, and new ones are rejected", async () => {
  const { runner, start, call, ended } = await openRooms();
  const callers = await Promise.all(Array.from({ length: 20 }, () => call()));
  const drained = runner.drain();
  expect(await start()).toMatchObject({ status: 503, json: { code: "DRAINING" } });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(runner.sessions.counts.active).toBe(20);
  for (const caller of callers) await caller.hangUp();
  await ended(10_000);
  await drained;
});
