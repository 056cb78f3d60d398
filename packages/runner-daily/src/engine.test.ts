import { type Bot, createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, until } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createBrowserEngine } from "./call/browser/browser-engine.ts";
import { createDailyPlugin } from "./plugin.ts";
import { apiKey, type DailyApi, openDailyApi } from "./test/daily-api.ts";

let api: DailyApi;
const runners: Runner[] = [];
beforeEach(async () => {
  api = await openDailyApi();
});
afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
  await api[Symbol.asyncDispose]();
});

/** A runner on a machine without a browser. */
async function open(bot: Bot, options: Record<string, unknown> = {}): Promise<Runner> {
  const runner = createRunner({
    bot,
    plugins: [createDailyPlugin(() => createBrowserEngine({ chromium: "/nowhere/chromium" }))],
    pluginOptions: { daily: { apiKey, apiUrl: api.url, ...options } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  runners.push(runner);
  await runner.listen();
  return runner;
}

async function post(runner: Runner, path: string, body: object) {
  const headers = { "content-type": "application/json", connection: "close" };
  const response = await fetch(new URL(path, runner.url), { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const call = { From: "+15551234567", To: "+15559876543", callId: "c", callDomain: "d" };

describe("without a browser", () => {
  test("it is limited, and says why and how to mend it", async () => {
    const runner = await open(() => undefined);
    expect(runner.transports[0]?.availability).toMatchObject({
      state: "limited",
      reason: expect.stringMatching(/^Rooms are made, but bots cannot join them here\. .*"\/nowhere\/chromium"/),
      fix: expect.stringContaining("apt install chromium"),
    });
  });

  test("the banner offers no phone calls that are refused, and nothing without a key", async () => {
    const banner = async (options?: Record<string, unknown>) =>
      (await open(() => undefined, options)).transports[0]?.banner.join("\n").replaceAll(/http:\S+(?=\/daily)/g, "");
    expect(await banner()).toBe("/daily opens a room with a bot in it");
    const both = "/daily opens a room with a bot in it\n/daily-dialin-webhook takes phone calls";
    expect(await banner({ dialinWithoutBrowser: true })).toBe(both);
    expect(await banner({ dialinWithoutBrowser: true, apiKey: undefined })).toBe("");
  });

  test("rooms are made and bots run in them; only createTransport fails", async () => {
    const outcomes: unknown[] = [];
    const runner = await open(async (args) => {
      if (args.transport !== "daily") return;
      outcomes.push(args.roomUrl, args.token !== "");
      await createTransport(args, { daily: () => ({}) }).catch((error: unknown) => outcomes.push(error));
    });
    const { status, body } = await post(runner, "/start", { createDailyRoom: true });
    await until("the bot has tried", () => outcomes.length === 3, 2_000);
    expect(status).toBe(200);
    expect(outcomes).toEqual([body.dailyRoom, true, expect.objectContaining({ code: "DAILY_BROWSER_MISSING" })]);
  });

  test("phone calls are refused, who would wait on hold, unless a flag says that the bot joins by itself", async () => {
    const refused = await post(await open(() => undefined), "/daily-dialin-webhook", call);
    expect(refused).toMatchObject({ status: 503, body: { code: "DAILY_BROWSER_MISSING" } });
    expect(refused.body.detail).toContain("--daily-dialin-without-browser");
    expect(api.requests).toEqual([]);
    const allowed = await open(() => undefined, { dialinWithoutBrowser: true });
    expect((await post(allowed, "/daily-dialin-webhook", call)).status).toBe(200);
  });
});
