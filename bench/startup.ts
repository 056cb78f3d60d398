import { spawn } from "node:child_process";
import { once } from "node:events";
import { median, table } from "./figures.ts";

const cli = new URL("../packages/runner-cli/src/main.ts", import.meta.url).pathname;
const bot = new URL("../apps/echo-bot/bot.ts", import.meta.url).pathname;

/** From starting the command to its server answering, beside a Node that does nothing, in turn. */
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
  const child = spawn(process.execPath, [cli, bot, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let printed = "";
    for await (const chunk of child.stdout) {
      printed += chunk;
      if (/http:\/\/localhost:[1-9]/.test(printed)) return performance.now() - start;
    }
    throw new Error(`it ended without listening:\n${printed}`);
  } finally {
    child.kill("SIGINT");
    await once(child, "exit");
  }
}
