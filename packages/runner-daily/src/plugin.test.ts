import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import type { DailyRunnerArguments } from "./arguments.ts";
import { createBrowserClient } from "./browser-client.ts";
import plugin, { createDailyPlugin } from "./plugin.ts";
import { apiKey, readToken } from "./test/daily-api.ts";
import { type DailyRunnerOptions, useDailyFixture } from "./test/daily-runner.ts";

const daily = useDailyFixture();
const { open } = daily;

describe("direct", () => {
  test("runs one bot without a server; the bot handles signals", async () => {
    const logger = createRecordingLogger();
    const started = Promise.withResolvers<DailyRunnerArguments>();
    const runner = createRunner({
      bot: (args) => {
        if (args.transport === "daily") started.resolve(args);
      },
      plugins: [plugin],
      pluginOptions: { daily: { apiKey, apiUrl: daily.api.url } },
      env: {},
      logger,
    });
    await runner.direct("daily");
    const args = await started.promise;
    expect(args).toMatchObject({ transport: "daily", handleSigint: true, handleSigterm: true, body: undefined });
    expect(readToken(args.token)).toMatchObject({ is_owner: true });
    expect(logger.lines.map(({ message }) => message)).toContain(`open ${args.roomUrl} to talk to the bot`);
  });
});

test("a bot joins a room that Pipecat Cloud created, without an API key, and the session has the platform's id", async () => {
  const options = { cloud: true, maxSessions: 1, pluginOptions: {} } as const;
  const { runner, calls, finish, post } = await open(options);
  const headers = {
    "x-daily-session-id": "d6f3b7a0-0000-4000-8000-000000000001",
    "x-daily-room-url": "https://you.daily.co/room",
    "x-daily-room-token": "token-of-the-platform",
  };
  const ended = post("/bot", { wish: "tea" }, headers);
  await until("the bot runs", () => calls.length === 1, 2_000);
  expect(calls[0]).toMatchObject({
    sessionId: headers["x-daily-session-id"],
    roomUrl: "https://you.daily.co/room",
    token: "token-of-the-platform",
    body: { wish: "tea" },
  });
  expect(runner.sessions.counts.active).toBe(1);
  finish();
  expect(await ended).toMatchObject({ status: 200, body: {} });
  expect(daily.api.requests).toEqual([]);
});

describe("availability", () => {
  const check = async (options: Record<string, unknown>, transport?: string) => {
    const opened = await open({ daily: options, ...(transport === undefined ? {} : { transport }) });
    return opened.runner.transports[0]?.availability;
  };

  test("without an API key it is limited, and unavailable as the only transport", async () => {
    expect(await check({ apiKey: undefined })).toMatchObject({
      state: "limited",
      fix: expect.stringContaining("DAILY_API_KEY"),
    });
    await expect(check({ apiKey: undefined }, "daily")).rejects.toMatchObject({ code: "TRANSPORT_UNAVAILABLE" });
  });

  test.each([
    [{ roomUrl: "not a url" }, "--daily-room-url (or DAILY_ROOM_URL, DAILY_SAMPLE_ROOM_URL)"],
    [{ roomUrl: "https://test.daily.co/" }, "--daily-room-url"],
    [{ roomUrl: "javascript:alert(1)" }, "--daily-room-url"],
    [{ apiUrl: "daily" }, "--daily-api-url"],
    [{ pinlessHmacSecret: "not base64!" }, "the value is not valid"],
  ])("%j stops the runner with the name of the option", async (options, text) => {
    await expect(check(options)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(text),
    });
  });

  test("options come from the environment, also from the older variable of the room", async () => {
    const opened = await open({
      pluginOptions: {},
      env: {
        DAILY_API_KEY: apiKey,
        DAILY_API_URL: daily.api.url,
        DAILY_SAMPLE_ROOM_URL: "https://test.daily.co/sample",
      },
    });
    expect((await opened.post("/start", { transport: "daily" })).body.dailyRoom).toBe("https://test.daily.co/sample");
  });
});

describe("without a browser", () => {
  const call = { From: "+15551234567", To: "+15559876543", callId: "c", callDomain: "d" };
  const plugins = [createDailyPlugin(() => createBrowserClient({ chromium: "/nowhere/chromium" }))];
  const openWithout = (options: DailyRunnerOptions = {}) => open({ plugins, ...options });

  test("it is limited, with reason and fix", async () => {
    const { runner } = await openWithout();
    expect(runner.transports[0]?.availability).toMatchObject({
      state: "limited",
      reason: expect.stringMatching(/^Rooms are created, but bots cannot join them\. .*"\/nowhere\/chromium"/),
      fix: expect.stringContaining("apt install chromium"),
    });
  });

  test("the banner offers no phone calls, and nothing without an API key", async () => {
    const banner = async (options: Record<string, unknown> = {}) => {
      const { runner } = await openWithout({ daily: options });
      return runner.transports[0]?.banner.join("\n").replaceAll(/http:\S+(?=\/daily)/g, "");
    };
    expect(await banner()).toBe("/daily opens a room with a bot");
    const both = "/daily opens a room with a bot\n/daily-dialin-webhook accepts phone calls";
    expect(await banner({ dialinWithoutBrowser: true })).toBe(both);
    expect(await banner({ dialinWithoutBrowser: true, apiKey: undefined })).toBe("");
  });

  test("rooms are created and bots run; only createTransport rejects", async () => {
    const results: unknown[] = [];
    const { post } = await openWithout({
      async bot(args) {
        if (args.transport !== "daily") return;
        results.push(args.roomUrl, args.token !== "");
        await createTransport(args, { daily: () => ({}) }).catch((error: unknown) => results.push(error));
      },
    });
    const { status, body } = await post("/start", { createDailyRoom: true });
    await until("the bot has finished", () => results.length === 3, 2_000);
    expect(status).toBe(200);
    expect(results).toEqual([body.dailyRoom, true, expect.objectContaining({ code: "DAILY_BROWSER_MISSING" })]);
  });

  test("phone calls are rejected, unless --daily-dialin-without-browser is set", async () => {
    const rejected = await (await openWithout()).post("/daily-dialin-webhook", call);
    expect(rejected).toMatchObject({ status: 503, body: { code: "DAILY_BROWSER_MISSING" } });
    expect(rejected.body.detail).toContain("--daily-dialin-without-browser");
    expect(daily.api.requests).toEqual([]);
    const accepting = await openWithout({ daily: { dialinWithoutBrowser: true } });
    expect((await accepting.post("/daily-dialin-webhook", call)).status).toBe(200);
  });
});
