import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { durationMs } from "@pipecat-ts/audio";
import { until } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { connectCaller, type WebSocketCaller } from "../packages/runner-websocket/src/caller.ts";
import { speak } from "./server/callers.ts";
import { type RunningCommand, startCommand } from "./server/command.ts";
import { failures } from "./server/failing-transport.ts";

const program = join(import.meta.dirname, "server/failing-transport.ts");
const calls = 20;
const windowMs = 3_000;

function startEmbedded(): Promise<RunningCommand> {
  return startCommand([program]);
}

async function startCli(): Promise<RunningCommand> {
  const folder = await mkdtemp(join(tmpdir(), "pipecat-failing-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const url = pathToFileURL(program).href;
  const files = {
    "package.json": '{"type": "module"}',
    "bot.js": `export { bot } from "${url}";`,
    "pipecat-runner.config.js": `import { plugins } from "${url}"; export default { plugins };`,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return await startCommand(["packages/runner-cli/src/main.ts", join(folder, "bot.js"), "--port", "0"]);
}

test.each([
  ["the command", startCli],
  ["an embedded runner", startEmbedded],
])(
  "under %s, an error thrown by a plugin or a bot ends its session and does not disturb 20 other calls",
  async (_, start) => {
    const runner = await start();
    onTestFinished(() => void runner.interrupt());
    const address = runner.origin.replace("http", "ws").replace("localhost", "127.0.0.1");
    const callers = await Promise.all(Array.from({ length: calls }, () => connectCaller(`${address}/ws-client`)));
    const stops = callers.map(speak);
    onTestFinished(() => {
      for (const stop of stops) stop();
      for (const caller of callers) caller.drop();
    });
    await until("all callers hear the echo", () => callers.every(({ playout }) => playout.enqueuedMs > 500), 10_000);

    // A busy machine causes gaps at any time. Errors that disturb the calls cause them in every attempt.
    let failed = 0;
    await expect
      .poll(
        async () => {
          const undisturbed = await longestGapMs(callers, () => sleep(windowMs));
          const disturbed = await longestGapMs(callers, async () => {
            const startedMs = performance.now();
            while (performance.now() - startedMs < windowMs) {
              await Promise.all(failures.map((where) => failOnce(`${address}/failing`, where)));
              failed += failures.length;
            }
          });
          return disturbed - undisturbed;
        },
        { timeout: 40_000, interval: 0 },
      )
      .toBeLessThan(60);

    for (const { socket } of callers) expect(socket.readyState).toBe(WebSocket.OPEN);
    await until("the log has the end of all failed sessions", () => endings(runner).length >= failed, 5_000);
    const ended = endings(runner).map(({ session }) => session);
    expect(ended).toHaveLength(failed);
    expect(errors(runner).map(({ session }) => session)).toEqual(expect.arrayContaining(ended));
    expect(errors(runner)).toHaveLength(failed);
  },
);

/** The longest gap that any of the callers heard during `action`, in ms. */
async function longestGapMs(callers: readonly WebSocketCaller[], action: () => Promise<unknown>): Promise<number> {
  const fromMs = performance.now();
  await action();
  const gaps = callers.map(({ playout }) => {
    const played = playout.played().filter(({ atMs }) => atMs >= fromMs);
    const ends = [fromMs, ...played.map(({ frame, atMs }) => atMs + durationMs(frame))];
    const starts = [...played.map(({ atMs }) => atMs), performance.now()];
    return Math.max(...starts.map((atMs, index) => atMs - (ends[index] ?? atMs)));
  });
  return Math.max(...gaps);
}

/** Starts a session that throws an error. Resolves when its socket is closed with 1011. */
async function failOnce(url: string, where: string): Promise<void> {
  const socket = new WebSocket(url);
  await once(socket, "message"); // the bot listens
  socket.send(where);
  const [code] = await once(socket, "close");
  expect(code, where).toBe(1011);
}

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly session?: string;
  readonly err?: object;
}

function log(runner: RunningCommand): LogLine[] {
  return runner
    .lines()
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}

function endings(runner: RunningCommand): LogLine[] {
  return log(runner).filter(({ msg }) => msg === "session ended");
}

function errors(runner: RunningCommand): LogLine[] {
  return log(runner).filter(({ err }) => err !== undefined);
}
