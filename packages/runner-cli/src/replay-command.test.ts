import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { replayCommand } from "./replay-command.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

const header = {
  ...{ format: "pipecat-runner capture", version: 1, session: "5f", transport: "fake", plugin: "fake" },
  ...{ startedAt: "2026-11-29T18:00:00.000Z", media: false },
};
const start = {
  type: "http",
  method: "POST",
  url: "/start",
  body: '{"body":{"plan":"gold"}}',
  status: 200,
  durationMs: 1,
};
const events = [
  { t: 0, type: "state", state: "pending" },
  { t: 0, ...start },
  { t: 1, type: "state", state: "active" },
  { t: 90, type: "state", state: "ended", reason: "caller-left" },
];
const capture = [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join("");

function project(bot: string) {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": bot, "call.jsonl": capture });
  const printed: string[] = [];
  const { ...realConsole } = console;
  const output = vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  const errors = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  onTestFinished(() => {
    for (const spy of [output, errors]) spy.mockRestore();
    Object.assign(console, realConsole);
  });
  return { file: join(folder, "call.jsonl"), bot: join(folder, "bot.js"), printed };
}

test("prints what the bot got, and exits with 0", async () => {
  const { file, bot, printed } = project("export async function bot() {}");
  expect(await replayCommand([file, bot, "--speed", "max"])).toBe(0);
  expect(
    printed.map((line) =>
      line
        .trim()
        .replace(/^[\d.]+ s +/, "")
        .replace(/ +/g, " "),
    ),
  ).toEqual(['started fake {"plan":"gold"}', "ended bot-finished"]);
});

test("exits with 1 when the bot throws, and prints JSON alone, whatever the bot prints", async () => {
  const { file, bot, printed } = project(
    'export async function bot() { console.log("Hello"); throw new Error("no key"); }',
  );
  expect(await replayCommand([file, bot, "--json"])).toBe(1);
  expect(JSON.parse(printed.join(""))).toMatchObject({
    events: [{ type: "started" }, { type: "failed", message: "no key" }, { type: "ended", reason: "bot-failed" }],
  });
});

test("says when it was interrupted, and exits with 1", async () => {
  const { file, bot, printed } = project(
    "export const bot = ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve));",
  );
  const running = replayCommand([file, bot]);
  await expect.poll(() => printed.join("")).toContain("started");
  process.emit("SIGINT", "SIGINT");
  expect(await running).toBe(1);
  expect(printed.at(-1)).toBe("  ! The replay was interrupted: the caller hung up.\n");
});

test.each([
  [[], "The capture is missing."],
  [["--speed", "max"], "The capture is missing."],
  [["call.jsonl", "--speed", "fast"], '--speed cannot be "fast".'],
  [["call.jsonl", "--loud"], "--loud is not a flag."],
])("%j is rejected", async (argv, message) => {
  await expect(replayCommand(argv)).rejects.toMatchObject({ code: "OPTION_INVALID", message });
});
