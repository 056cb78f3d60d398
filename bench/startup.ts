import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installProject } from "../scripts/installed-project.ts";
import { startChild } from "./children.ts";
import { type Figure, median, percentile } from "./figures.ts";

const bot = join(import.meta.dirname, "../apps/echo-bot/bot.ts");

/** A project of a user: the example bot, the command, WebRTC and Twilio, as they are published. `pnpm build` must have run. */
export interface Project extends Disposable {
  readonly folder: string;
}

export async function createProject(): Promise<Project> {
  const temporary = mkdtempSync(join(tmpdir(), "pipecat-bench-"));
  const packages = ["pipecat-runner", "@pipecat-ts/runner-webrtc", "@pipecat-ts/runner-telephony-twilio"];
  const folder = await installProject(temporary, packages);
  copyFileSync(bot, join(folder, "bot.ts"));
  return { folder, [Symbol.dispose]: () => rmSync(temporary, { recursive: true, force: true }) };
}

/** The time from the start of the command until its server listens, in alternation with a Node process that does nothing. */
export async function measureStartup(rounds: number): Promise<Figure[]> {
  using project = await createProject();
  const bare: number[] = [];
  const listening: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await timeBareNode());
    listening.push(await timeListening(project));
  }
  const name = "pipecat-runner bot.ts listens";
  return [{ name, value: median(listening), unit: "ms", floor: median(bare), target: "≤ 350" }];
}

async function timeBareNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ["-e", "0"]), "exit");
  return performance.now() - start;
}

async function timeListening(project: Project): Promise<number> {
  const command = await startCommand(project);
  await command.stop();
  return command.listensAfterMs;
}

/** A running `pipecat-runner bot.ts`. */
export interface Command {
  readonly pid: number;
  readonly url: URL;
  readonly listensAfterMs: number;
  stop(): Promise<void>;
}

/** Starts the command in a project, and resolves when it has printed its URL. */
export async function startCommand({ folder }: Project, ...flags: readonly string[]): Promise<Command> {
  const startMs = performance.now();
  const args = [join(folder, "node_modules/.bin/pipecat-runner"), "bot.ts", "--port", "0", ...flags];
  const child: ChildProcess = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  for await (const chunk of child.stderr ?? []) {
    printed += chunk;
    const [url] = /http:\/\/localhost:[1-9]\d*/.exec(printed) ?? [];
    if (url === undefined) continue;
    return { pid: child.pid ?? 0, url: new URL(url), listensAfterMs: performance.now() - startMs, stop };
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
