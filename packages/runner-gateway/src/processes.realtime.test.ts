import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { childrenOf, descriptorsOf, findProcesses } from "./test/proc.ts";
import { firstMessage, startGateway } from "./test/processes.ts";

/** For the gateways' sockets. */
const temporary = mkdtempSync(join(tmpdir(), "gateways-"));
beforeAll(() => void vi.stubEnv("TMPDIR", temporary));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true });
});

/** What a bot does to its process, and how the gateway reports it. */
const faults = [
  ["kill", { cause: "signal", signal: "SIGKILL" }],
  ["abort", { cause: "signal", signal: "SIGABRT" }],
  ["exit", { cause: "code", code: 0 }],
  ["fill", { cause: "memory" }],
  ["disconnect", { cause: "signal", signal: "SIGKILL" }],
] as const;

test("a bot that kills, aborts, exits, fills, cuts off or blocks its process disturbs the calls of its own worker only, beside 20 others", {
  timeout: 120_000,
}, async () => {
  // Enough memory for a quick start: near its limit, V8 collects garbage all the time.
  await using host = await startGateway({ workerSessions: 10, workerMemory: 128 });

  async function call() {
    const id = await host.start();
    const socket = host.connect(id);
    await once(socket, "open");
    return { id, socket, ...measureEcho(socket) };
  }

  /** Two calls in one worker, while another worker is idle. */
  async function pair() {
    const calls = [await call(), await call()] as const;
    await expect.poll(() => host.metric('pipecat_workers{state="idle"}')).toBe(1);
    return calls;
  }

  const others = [];
  for (let count = 0; count < 20; count++) others.push(await call());

  for (const [fault, exit] of faults) {
    const [own, neighbor] = await pair();
    const closed = Promise.all([own, neighbor].map(({ socket }) => once(socket, "close")));
    own.socket.send(JSON.stringify(fault));
    await closed;
    await expect.poll(() => host.exits().at(-1)).toMatchObject({ ...exit, sessions: 2 });
    expect(host.crashes().slice(-2).sort()).toEqual([own.id, neighbor.id].sort());
  }
  expect(host.crashes()).toHaveLength(2 * faults.length);
  expect(processesNamed("sleep"), "what a worker started ends with it").toEqual([]);

  const [own, neighbor] = await pair();
  own.socket.send('"interfere"');
  await once(own.socket, "message");
  own.socket.send('"block"');
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const blockedMs = neighbor.echo.longestMs;
  await firstMessage(host.connect(await host.start()));
  expect(neighbor.echo.longestMs, "the new call did not wait until the blocked worker answers").toBeLessThan(2_900);
  expect(blockedMs, "the other call of the same worker waits").toBeGreaterThan(1_000);
  await expect.poll(() => neighbor.echo.sent - neighbor.echo.count, { message: "it continues" }).toBeLessThan(3);
  expect(host.crashes()).toHaveLength(2 * faults.length);

  for (const { socket, echo } of others) {
    expect(socket.readyState).toBe(socket.OPEN);
    expect(echo.sent - echo.count, "every message is echoed").toBeLessThan(50);
    // Generous, because other tests may use the machine. The block takes three times as long.
    expect(echo.longestMs).toBeLessThan(1_000);
  }
  for (const { stop, socket } of [...others, own, neighbor]) {
    stop();
    socket.terminate();
  }
});

test("the only worker is replaced after its bot has cut it off", async () => {
  await using host = await startGateway({ maxWorkers: 1 });
  const socket = host.connect(await host.start());
  await once(socket, "open");
  socket.send('"disconnect"');
  await once(socket, "message");
  // The process ends with its only call, before the gateway kills it.
  socket.close();
  await expect.poll(() => host.exits()).toMatchObject([{ cause: "code", code: 0 }]);
  await firstMessage(host.connect(await host.start()));
});

/** Sends a message every 20 ms, and measures the longest wait between two echoes. */
function measureEcho(socket: WebSocket) {
  const echo = { sent: 0, count: 0, longestMs: 0 };
  let lastMs = performance.now();
  const noteWait = () => {
    echo.longestMs = Math.max(echo.longestMs, performance.now() - lastMs);
  };
  socket.on("message", () => {
    noteWait();
    lastMs = performance.now();
    echo.count += 1;
  });
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send('"tick"');
    echo.sent += 1;
    noteWait();
  }, 20);
  return { echo, stop: () => clearInterval(timer) };
}

test("a reload under 20 calls cuts none of them, refuses none of 50 starts, and the old worker ends with its last call", async () => {
  await using host = await startGateway({ workerSessions: 100 });
  const sockets: WebSocket[] = [];
  for (let count = 0; count < 20; count++) {
    const socket = host.connect(await host.start());
    await once(socket, "open");
    sockets.push(socket);
  }
  const old = childrenOf();
  const reloaded = host.gateway.reload();
  const ids: string[] = [];
  for (let count = 0; count < 50; count++) {
    ids.push(await host.start());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await reloaded;
  await Promise.all(ids.slice(0, 10).map((id) => firstMessage(host.connect(id))));
  for (const socket of sockets) {
    socket.send('"tick"');
    await once(socket, "message");
    socket.close();
  }
  for (const id of ids) await fetch(new URL(`/sessions/${id}`, host.gateway.url), { method: "DELETE" });
  await expect.poll(() => childrenOf().filter((pid) => old.includes(pid))).toEqual([]);
});

test("what bots have started ends with their process, also after kill -9 of the gateway", async () => {
  const program = join(import.meta.dirname, "test/gateway-program.ts");
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const url = new URL(String(line).trim());

  async function call(): Promise<WebSocket> {
    const { id } = (await (await fetch(new URL("/start", url), { method: "POST" })).json()) as { readonly id: string };
    const socket = new WebSocket(new URL(`/fake/${id}`, url));
    await once(socket, "open");
    socket.send('"start"');
    await once(socket, "message");
    return socket;
  }

  const sockets = [await call(), await call()] as const;
  const groups = childrenOf(child.pid);
  const running = () => groups.map((group) => processesOf(group).length);
  expect(running(), "each worker has started a process").toEqual([2, 2]);
  child.kill("SIGKILL");
  await once(child, "exit");
  for (const socket of sockets) {
    socket.send('"tick"');
    await once(socket, "message");
  }
  expect(running(), "calls continue").toEqual([2, 2]);
  sockets[0].close();
  sockets[1].send('"kill"');
  await expect.poll(running).toEqual([0, 0]);
  await expect.poll(() => readdirSync(temporary), { message: "the sockets are removed" }).toEqual([]);
});

test("sessions through one-call workers leave no process, socket, descriptor or file", async () => {
  const before = descriptors();
  {
    await using host = await startGateway({ workerCalls: 1 });
    const idle = descriptors().length;
    for (let count = 0; count < 4; count++) await firstMessage(host.connect(await host.start()));
    await expect.poll(() => host.gateway.sessions.counts).toEqual({ pending: 0, active: 0 });
    await expect.poll(() => childrenOf().length, { timeout: 20_000 }).toBe(1);
    // One client connection that fetch keeps open.
    await expect.poll(() => descriptors().length).toBeLessThanOrEqual(idle + 2);
  }
  expect(childrenOf()).toEqual([]);
  await expect.poll(() => descriptors().filter((descriptor) => !before.includes(descriptor))).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

/** The sockets and pipes of this process. */
function descriptors(): string[] {
  return descriptorsOf("self").filter((target) => /^(socket|pipe):/.test(target));
}

/** The running processes with this program, started by a worker of this test. */
function processesNamed(name: string): string[] {
  return findProcesses("cmdline", (text) => text.startsWith(`${name}\u000060\0`));
}

/** The running processes of a process group. */
function processesOf(group: string): string[] {
  // The program's name, in parentheses, may contain anything.
  return findProcesses("stat", (text) => text.replace(/^.*\) /s, "").split(" ")[2] === group);
}
