import { spawn } from "node:child_process";
import { once } from "node:events";
import { startChild } from "./children.ts";
import { median, percentile, table } from "./figures.ts";

const cli = new URL("../packages/runner-cli/src/main.ts", import.meta.url).pathname;
const bot = new URL("../apps/echo-bot/bot.ts", import.meta.url).pathname;

/** The time from the start of the command until its server listens, in alternation with a Node process that does nothing. */
export async function measureStartup(rounds: number): Promise<string> {
  const bare: number[] = [];
  const listening: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await timeBareNode());
    listening.push(await timeListening());
  }
  return table([
    ["from start to", "median ms"],
    ["`node -e 0` has ended", median(bare).toFixed(0)],
    ["`pipecat-runner bot.ts` listens", median(listening).toFixed(0)],
  ]);
}

async function timeBareNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ["-e", "0"]), "exit");
  return performance.now() - start;
}

async function timeListening(): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [cli, bot, "--port", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  try {
    let printed = "";
    for await (const chunk of child.stderr) {
      printed += chunk;
      if (/http:\/\/localhost:[1-9]/.test(printed)) return performance.now() - start;
    }
    throw new Error(`The command exited without listening:\n${printed}`);
  } finally {
    child.kill("SIGINT");
    await once(child, "exit");
  }
}

/** The duration of `POST /start`, one request after the other. */
export async function measureStart(requests: number): Promise<string> {
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
    return table([
      ["POST /start", "ms"],
      ["p50", percentile(warm, 0.5).toFixed(2)],
      ["p99", percentile(warm, 0.99).toFixed(2)],
    ]);
  } finally {
    await server.stop();
  }
}
