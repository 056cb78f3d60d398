import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const root = new URL("../..", import.meta.url).pathname;
/** How long a runner may take to listen, in ms. */
const startMs = 60_000;

/** How long a bot may take to run after the request that starts it, in ms. */
const botMs = 10_000;

/** The arguments of a bot, by the names that Python or our runner gives them. */
export type BotArguments = Readonly<Record<string, unknown>>;

/** A runner in a child process. */
export interface RunningRunner extends AsyncDisposable {
  readonly origin: string;
  readonly pid: number;
  /** The arguments of the next bot: each call returns those of another one. `undefined` if no bot runs within 10 s. */
  nextBot(): Promise<BotArguments | undefined>;
}

/** Starts `bot.ts`, from source. */
export function startOurs(flags: readonly string[], env: Readonly<Record<string, string>>): Promise<RunningRunner> {
  return start(process.execPath, ["packages/runner-cli/src/main.ts", "bench/parity/bot.ts", ...flags], env);
}

/** Starts its counterpart on Pipecat's own runner. */
export function startPython(
  python: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RunningRunner> {
  return start(python, ["bench/parity/bot.py", ...flags], env);
}

/** Starts a command with `--port`, in an environment with only these variables of a runner. */
async function start(
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<RunningRunner> {
  const port = await freePort();
  const { PATH, HOME, PIPECAT_CHROMIUM } = process.env;
  const env = { PATH, HOME, PIPECAT_CHROMIUM, PYTHONDONTWRITEBYTECODE: "1", ...variables };
  const child = spawn(command, [...args, "--port", String(port)], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  const bots: BotArguments[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on("line", (line) => {
      printed = `${printed}${line}\n`.slice(-10_000);
      if (line.startsWith("parity-arguments ")) bots.push(JSON.parse(line.slice("parity-arguments ".length)));
    });
  const origin = `http://localhost:${port}`;
  const deadline = Date.now() + startMs;
  while (!(await answers(origin))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`"${[command, ...args].join(" ")}" does not listen:\n${printed}`);
    }
    await sleep(50);
  }
  return {
    origin,
    pid: child.pid ?? 0,
    async nextBot() {
      const limit = Date.now() + botMs;
      while (bots.length === 0 && Date.now() < limit) await sleep(20);
      return bots.shift();
    },
    [Symbol.asyncDispose]: () => stop(child),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
}

function answers(origin: string): Promise<boolean> {
  return fetch(`${origin}/status`).then(
    () => true,
    () => false, // It does not listen yet.
  );
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGINT");
  const killed = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await exited;
  clearTimeout(killed);
}
