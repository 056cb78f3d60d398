import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { until, within } from "@pipecat-ts/runner-testing";
import { afterAll, expect, test } from "vitest";
import { browserProcesses, browserProfiles } from "./test/browser-processes.ts";
import { openBrowserRooms } from "./test/browser-rooms.ts";
import { apiKey } from "./test/daily-api.ts";

const daily = dirname(import.meta.dirname);
const cli = join(daily, "../runner-cli");
const bot = `
  import { createTransport } from "pipecat-runner";
  export async function bot(args) {
    const transport = await createTransport(args, { daily: () => ({ userName: "Direct" }) });
    await transport.closed;
  }`;

const folder = mkdtempSync(join(tmpdir(), "pipecat-direct-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Creates a bot's project with these packages installed. */
function writeProject(packages: Readonly<Record<string, string>>): void {
  for (const [name, target] of Object.entries(packages)) {
    const place = join(folder, "node_modules", name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(target, place);
  }
  const dependencies = Object.fromEntries(Object.keys(packages).map((name) => [name, "*"]));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", dependencies }));
  writeFileSync(join(folder, "bot.js"), bot);
}

test("`pipecat-runner bot.js -d` runs one bot in a room, and Ctrl-C ends everything", async () => {
  await using rooms = await openBrowserRooms();
  const { api, server } = rooms;
  writeProject({ "pipecat-runner": cli, "@pipecat-ts/runner-daily": daily });
  const settings = { DAILY_API_KEY: apiKey, DAILY_API_URL: api.url, DAILY_BUNDLE_URL: server.bundleUrl };
  const child = spawn(process.execPath, [join(cli, "src/main.ts"), "bot.js", "-d", "--daily-delete-rooms"], {
    cwd: folder,
    env: { ...process.env, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = [child.stdout.toArray(), child.stderr.toArray()];
  const ended = once(child, "exit");
  const inRoom = () => [...api.rooms.keys()].flatMap((name) => server.names(name));
  await until("the bot is in its room", () => inRoom().length > 0 || child.exitCode !== null, 15_000);
  expect([inRoom(), browserProcesses(child.pid).length > 0]).toEqual([["Direct"], true]);
  const [room] = api.rooms.values();

  child.kill("SIGINT");
  const [code] = await within("the process ends", ended, 5_000);
  expect([code, String(Buffer.concat(await stderr))]).toEqual([0, ""]);
  expect(String(Buffer.concat(await stdout))).toContain(`open ${room?.url} to talk to the bot`);
  // The bot left the room instead of disconnecting.
  expect([inRoom(), server.lost, api.rooms.size]).toEqual([[], 0, 0]);
  expect([browserProcesses(child.pid), browserProfiles(child.pid)]).toEqual([[], []]);
});

test("`pnpm smoke:daily` passes against the fake servers, and leaves no room", async () => {
  await using rooms = await openBrowserRooms();
  const { api, server } = rooms;
  const env = {
    ...process.env,
    DAILY_ROOM_URL: "https://you.daily.co/must-not-be-used",
    DAILY_API_KEY: apiKey,
    DAILY_API_URL: api.url,
    DAILY_BUNDLE_URL: server.bundleUrl,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [join(daily, "smoke.ts")], { env });
  expect(stdout).toMatch(
    /a message in each direction.*the caller receives the bot's 440 Hz.*the bot receives the caller's 660 Hz.*All checks passed/s,
  );
  expect(api.requests.map(({ path }) => path).join()).not.toContain("must-not-be-used");
  expect([api.rooms.size, stdout.includes(apiKey)]).toEqual([0, false]);
});
