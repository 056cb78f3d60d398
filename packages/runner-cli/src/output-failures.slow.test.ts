import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { platform } from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { connectCaller, type WebSocketCaller } from "../../runner-websocket/src/caller.ts";
import { bin, type Program, startProgram } from "./test/program.ts";
import { createProject } from "./test/temporary-project.ts";

/**
 * Echoes its caller, and logs and prints 2 MB per second. Its cleanup hangs after SIGUSR2, which causes exceptions
 * outside every session.
 */
const bot = `
import { createTransport } from "pipecat-runner";

export async function bot(args) {
  const { logger } = args.session;
  const text = "x".repeat(1_000);
  const logging = setInterval(() => {
    for (let count = 0; count < 10; count++) {
      logger.info({ text }, "talking");
      process.stdout.write(JSON.stringify({ msg: text }) + "\\n");
    }
  }, 10);
  args.session.onEnd(() => {
    clearInterval(logging);
    return crashes && new Promise(() => undefined);
  });
  const transport = await createTransport(args, { websocket: () => ({ audioInEnabled: true, audioOutEnabled: true }) });
  await transport.input.pipeTo(transport.output);
}
let crashes = false;
process.on("SIGUSR2", () => {
  crashes = true;
  setInterval(() => { throw new Error("again"); }, 100);
  throw new Error("outside every session");
});
`;

const address = /(http:\/\/localhost:[1-9]\d*)/;

function createBot(): string {
  const transport = "@pipecat-ts/runner-websocket";
  const folder = createProject({
    "package.json": JSON.stringify({ type: "module", dependencies: { [transport]: "*" } }),
    "bot.js": bot,
  });
  const link = join(folder, "node_modules", transport);
  mkdirSync(dirname(link));
  symlinkSync(join(import.meta.dirname, "../../runner-websocket"), link);
  return folder;
}

/** Starts the bot and calls it. Resolves when the caller hears the echo. */
async function startBot(stdout: "pipe" | number = "pipe") {
  const program = startProgram(createBot(), [bin, "--port", "0"], {}, stdout);
  const [, url = ""] = await program.printed(address);
  return { program, url, caller: await connect(url) };
}

async function connect(url: string): Promise<WebSocketCaller> {
  const caller = await connectCaller(`${url.replace("http", "ws")}/ws-client`);
  onTestFinished(speak(caller));
  await hears(caller, 500);
  return caller;
}

/** Sends audio in real time. Returns a function that hangs up. */
function speak(caller: WebSocketCaller): () => void {
  const frame = { samples: new Int16Array(320), sampleRate: 16_000, channels: 1 };
  const startMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = (performance.now() - startMs) / 20; sent < due; sent++) caller.sendAudio(frame);
  }, 10);
  return () => {
    clearInterval(timer);
    caller.drop();
  };
}

/** Waits until the caller has received this much more audio. */
async function hears(caller: WebSocketCaller, ms: number): Promise<void> {
  const wanted = caller.playout.enqueuedMs + ms;
  await expect.poll(() => caller.playout.enqueuedMs, { timeout: 10_000 }).toBeGreaterThan(wanted);
}

/** The longest time without audio after `fromMs`, in ms. */
function longestGapMs(caller: WebSocketCaller, fromMs: number): number {
  const arrivals = caller.playout.played().flatMap(({ atMs }) => (atMs >= fromMs ? [atMs] : []));
  return Math.max(...arrivals.map((atMs, index) => atMs - (arrivals[index - 1] ?? fromMs)));
}

async function droppedLines(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(metrics.match(/^pipecat_log_lines_dropped_total (\d+)$/m)?.[1]);
}

interface Failure {
  readonly title: string;
  readonly code: string;
  readonly stdout?: string;
  fail?(program: Program): void;
}

const failures: readonly Failure[] = [
  { title: "a pipe whose reader has ended", code: "EPIPE", fail: (program) => program.closePipes("stdout") },
  { title: "a pipe whose reader does not read", code: "BLOCKED", fail: (program) => program.pauseStdout() },
  { title: "a file on a full disk", code: "ENOSPC", stdout: "/dev/full" },
];

test.each(failures.filter(({ stdout }) => stdout === undefined || existsSync(stdout)))(
  "$title: the call continues, lines are dropped and counted, and SIGTERM stops the program",
  async ({ code, stdout, fail }) => {
    const descriptor = stdout === undefined ? undefined : openSync(stdout, "w");
    const { program, url, caller } = await startBot(descriptor);
    if (descriptor !== undefined) closeSync(descriptor);
    const fromMs = performance.now();
    fail?.(program);
    await expect.poll(() => droppedLines(url), { timeout: 10_000 }).toBeGreaterThan(50);
    await hears(caller, 1_500);
    expect(longestGapMs(caller, fromMs)).toBeLessThan(500);
    expect(program.stderr.match(/\{.*\}/g)?.map((line) => JSON.parse(line))).toEqual([
      { level: 40, time: expect.any(String), code, msg: "log cannot be written; lines are dropped" },
    ]);
    program.signal("SIGTERM");
    await hears(caller, 200);
    await caller.hangUp();
    expect(await program.ended).toBe(0);
  },
);

test("when stdout and stderr have no reader, the call continues and SIGTERM stops the program", async () => {
  const { program, url, caller } = await startBot();
  const fromMs = performance.now();
  program.closePipes("stdout", "stderr");
  await expect.poll(() => droppedLines(url), { timeout: 10_000 }).toBeGreaterThan(50);
  await hears(caller, 500);
  expect(longestGapMs(caller, fromMs)).toBeLessThan(500);
  await caller.hangUp();
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
});

const script = "/usr/bin/script"; // of util-linux: runs a command in a terminal of its own

test.skipIf(platform !== "linux" || !existsSync(script))(
  "a terminal that stops: the call continues; when it closes, the runner drains",
  async () => {
    const folder = createBot();
    const command = `${process.execPath} ${bin} --port 0 2>banner.txt`;
    const terminal = spawn(script, ["-qfc", command, "/dev/null"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => void terminal.kill("SIGKILL"));
    const banner = () =>
      existsSync(join(folder, "banner.txt")) ? readFileSync(join(folder, "banner.txt"), "utf8") : "";
    await expect.poll(banner).toMatch(address);
    const [url = ""] = banner().match(address) ?? [];
    const caller = await connect(url);
    const fromMs = performance.now();
    await expect.poll(() => droppedLines(url), { timeout: 10_000 }).toBeGreaterThan(50);
    terminal.kill("SIGKILL");
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503);
    await hears(caller, 500);
    expect(longestGapMs(caller, fromMs)).toBeLessThan(500);
    await caller.hangUp();
    await expect.poll(() => fetch(`${url}/livez`).catch(() => "ended")).toBe("ended");
  },
);

test("a reader that continues gets complete lines, and the number of dropped ones", async () => {
  const { program, url } = await startBot();
  program.pauseStdout();
  await expect.poll(() => droppedLines(url), { timeout: 10_000 }).toBeGreaterThan(50);
  program.resumeStdout();
  const [, lines] = await program.printed(/"lines":(\d+),"msg":"log lines dropped"/);
  expect(Number(lines)).toBeGreaterThan(50);
  const complete = program.stdout.split("\n").slice(0, -1);
  expect(complete.filter((line) => JSON.parse(line).msg === "talking").length).toBeGreaterThan(500);
});

test("an uncaught exception ends the program with 1 in 5 s, without a log, and although others and SIGTERM follow", async () => {
  const { program } = await startBot();
  program.closePipes("stdout", "stderr");
  const fromMs = performance.now();
  program.signal("SIGUSR2");
  program.signal("SIGTERM");
  expect(await program.ended).toBe(1);
  expect(performance.now() - fromMs).toBeLessThan(7_000);
});
