import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const root = new URL("../..", import.meta.url).pathname;
/** How long a runner may take to listen, in ms. */
const startMs = 60_000;

/** A runner in a child process. */
export interface RunningRunner extends AsyncDisposable {
  readonly origin: string;
  readonly pid: number;
}

/** Starts the echo bot of `apps/`, from source. */
export function startOurs(flags: readonly string[], env: Readonly<Record<string, string>>): Promise<RunningRunner> {
  return start(process.execPath, ["packages/runner-cli/src/main.ts", "apps/echo-bot/bot.ts", ...flags], env);
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
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => {
      printed = `${printed}${data}`.slice(-10_000);
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
  return { origin, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => stop(child) };
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
