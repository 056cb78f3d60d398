import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connectCaller as connectByWebRTC } from "../../packages/runner-webrtc/src/caller.ts";
import { connectCaller } from "../../packages/runner-websocket/src/caller.ts";
import type { Callable } from "../server/callers.ts";

/** The command `pipecat-runner` in a process of its own, on one core. */
export interface DrilledRunner extends Callable {
  readonly process: ChildProcess;
  /** What it has reported, each text once, with how often: log lines from `warn`, and lines on stderr after the banner. */
  reports(): readonly string[];
  /** How late its audio was sent since the last call, p99 in ms; undefined when it does not answer. */
  pacerLag(): Promise<number | undefined>;
  /** Its resident memory in bytes, after it had time to collect garbage. */
  memory(): number;
  /** Sends SIGINT. Resolves with the exit code, or with "killed" when it did not exit within 10 s. */
  stop(): Promise<number | "killed" | null>;
}

export interface DrilledRunnerOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its log goes. `/dev/full` is a disk that is full. Default: a pipe that is read. */
  readonly stdout?: "pipe" | "/dev/full";
  /** How many files it may open. */
  readonly maxFiles?: number;
}

const main = join(import.meta.dirname, "../../packages/runner-cli/src/main.ts");
const bot = join(import.meta.dirname, "bot.ts");

export async function startRunner(options: DrilledRunnerOptions = {}): Promise<DrilledRunner> {
  const { args = [], env = {}, stdout = "pipe", maxFiles } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // With its public URL, it can verify the signatures of phone calls.
  const settings = ["--port", `${port}`, "--host", "127.0.0.1", "--public-url", url, "--max-sessions", "0"];
  const command = [process.execPath, main, bot, ...settings, ...args];
  const limit = maxFiles === undefined ? [] : ["prlimit", `--nofile=${maxFiles}:${maxFiles}`];
  const pin = existsSync("/usr/bin/taskset") ? ["taskset", "-c", "0"] : [];
  const [program = "", ...rest] = [...limit, ...pin, ...command];
  const child = spawn(program, rest, {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...env },
    stdio: ["ignore", stdout === "pipe" ? "pipe" : openSync(stdout, "w"), "pipe"],
  });
  const counts = new Map<string, number>();
  const count = (text: string) => counts.set(text, (counts.get(text) ?? 0) + 1);
  let listens = false;
  if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => readLog(line, count));
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
    if (line.startsWith("{")) readLog(line, count);
    else if (listens) count(line.trim());
  });
  for (const deadline = performance.now() + 20_000; !listens; await sleep(50)) {
    listens = await fetch(`${url}/livez`).then(
      () => true,
      () => false,
    );
    if (child.exitCode !== null || performance.now() > deadline) throw new Error("The runner did not start.");
  }
  let before = await buckets(url);

  async function started(fields: object): Promise<Readonly<Record<string, unknown>>> {
    const headers = { "content-type": "application/json", connection: "close" };
    const response = await fetch(`${url}/start`, { method: "POST", headers, body: JSON.stringify(fields) });
    if (!response.ok) throw new Error(`POST /start: ${response.status} ${await response.text()}`);
    return (await response.json()) as Readonly<Record<string, unknown>>;
  }

  return {
    process: child,
    port,
    call: async (fields) => await connectCaller(String((await started({ transport: "websocket", ...fields })).wsUrl)),
    async callByWebRTC(fields) {
      const { sessionId } = await started({ transport: "webrtc", ...fields });
      return await connectByWebRTC(new URL(`${url}/sessions/${sessionId}/api/offer`));
    },
    reports: () => [...counts].map(([text, times]) => (times > 1 ? `${text} (${times} times)` : text)),
    async pacerLag() {
      const now = await buckets(url).catch(() => undefined);
      if (!now) return undefined;
      const added = now.map(([ms, total], index) => [ms, total - (before[index]?.[1] ?? 0)] as const);
      before = now;
      const all = added.at(-1)?.[1] ?? 0;
      return added.find(([, total]) => total >= all * 0.99)?.[0];
    },
    memory: () => residentBytes(child.pid),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exited = once(child, "exit");
      child.kill("SIGINT");
      const killed = sleep(10_000, "killed" as const, { ref: false });
      const [code] = await Promise.race([exited, killed.then((text) => [text])]);
      if (code === "killed") child.kill("SIGKILL");
      return code as number | "killed" | null;
    },
  };
}

function readLog(line: string, count: (text: string) => void): void {
  if (!line.startsWith("{")) return;
  const { level, msg, reason, code } = JSON.parse(line) as {
    level: number;
    msg: string;
    reason?: string;
    code?: string;
  };
  if (level >= 40) count([msg, code ?? reason].filter((part) => part !== undefined).join(": "));
}

/** The histogram of the pacer's lag: how many frames were at most this late, in ms; `Infinity` last. */
async function buckets(url: string): Promise<[ms: number, total: number][]> {
  const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
  return [...text.matchAll(/pipecat_pacer_lag_seconds_bucket\{le="([^"]+)"\} (\d+)/g)].map(([, le = "", total]) => [
    le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le) * 1000,
    Number(total),
  ]);
}

function residentBytes(pid: number | undefined): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
  } catch {
    return Number.NaN; // The process has ended.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
