import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openBrowserRooms } from "./test/call-machine/browser-rooms.ts";
import { apiKey } from "./test/daily-api.ts";

test("`pnpm smoke:daily` does what it says, here against the stand-in, and leaves no room", async () => {
  await using rooms = await openBrowserRooms();
  const { api, server } = rooms;
  const script = join(import.meta.dirname, "../smoke.ts");
  const ours = { DAILY_ROOM_URL: "https://you.daily.co/must-not-be-touched" };
  const env = {
    ...process.env,
    ...ours,
    DAILY_API_KEY: apiKey,
    DAILY_API_URL: api.url,
    DAILY_BUNDLE_URL: server.bundleUrl,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
  expect(stdout).toMatch(
    /a message each way.*the caller hears the bot's 440 Hz.*the bot hears the caller's 660 Hz.*All of it worked/s,
  );
  expect(api.requests.map(({ path }) => path).join()).not.toContain("must-not-be-touched");
  expect([api.rooms.size, stdout.includes(apiKey)]).toEqual([0, false]);
});
