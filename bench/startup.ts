import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { startChild } from "./children.ts";
import { type Figure, median, percentile } from "./figures.ts";

const cli = new URL("../packages/runner-cli/src/main.ts", import.meta.url).pathname;
const bot = new URL("../apps/echo-bot/bot.ts", import.meta.url).pathname;

/** The time from the start of the command until its server listens, in alternation with a Node process that does nothing. */
export async function measureStartup(rounds: number): Promise<Figure[]> {
  const bare: number[] = [];
  const listening: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await timeBareNode());
    listening.push(await timeListening());
  }
  const name = "pipecat-runner bot.ts listens, from source";
  return [{ name, value: median(listening), unit: "ms", floor: median(bare), target: "≤ 350" }];
}

async function timeBareNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ["-e", "0"]), "exit");
  return performance.now() - start;
}

async function timeListening(): Promise<number> {
  const command = await startCommand();
  await command.stop();
  return command.listensAfterMs;
}

/** `pipecat-runner` with the example bot. */
export interface Command {
  readonly pid: number;
  readonly listensAfterMs: number;
  stop(): Promise<void>;
}

/** Starts the command, and resolves when it has printed its URL. */
export async function startCommand(...flags: readonly string[]): Promise<Command> {
  const startMs = performance.now();
  const args = [cli, bot, "--port", "0", ...flags];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  for await (const chunk of child.stderr ?? []) {
    printed += chunk;
    if (!/http:\/\/localhost:[1-9]/.test(printed)) continue;
    const listensAfterMs = performance.now() - startMs;
    return { pid: child.pid ?? 0, listensAfterMs, stop };
  }
  throw new Error(`The command exited without listening:\n${printed}`);

  async function stop(): Promise<void> {
    const exited = once(child, "exit");
    child.kill("SIGINT");
    await exited;
  }
}

/** The duration of `POST /start`, one request after the other. */
export async function measureStart(requests: number): Promise<Figure[]> {
  const server = await startChild("./servers/websocket.ts", 0);
  try {
    const { startUrl } = await server.ask<{ startUrl: string }>({ ask: "url" });
    const times: number[] = [];
    for (let request = 0; request < requests; request++) {
      const begin = performance.now();
      const reply = await fetch(startUrl, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      await reply.json();
      if (!reply.ok) throw new Error(`POST /start answered ${reply.status}`);
      times.push(performance.now() - begin);
    }
    const warm = times.slice(requests / 10);
    return [
      { name: "POST /start: p50", value: percentile(warm, 0.5), unit: "ms" },
      { name: "POST /start: p99", value: percentile(warm, 0.99), unit: "ms" },
    ];
  } finally {
    await server.stop();
  }
}
