import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";

const [calls, messagesPerSecond, measuredMs] = [50, 50, 1_000];

test("the gateway uses at most 1 % of a core during 50 calls, because their messages do not pass through it", async () => {
  const program = join(import.meta.dirname, "test/gateway-program.ts");
  const isolation = JSON.stringify({ workerSessions: calls, warmWorkers: 2, maxWorkers: 2 });
  const gateway = spawn(process.execPath, [program, isolation], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(gateway, "exit");
  onTestFinished(async () => {
    gateway.kill("SIGTERM");
    await exited;
  });
  const [line] = (await once(gateway.stdout, "data")) as [Buffer];
  const url = new URL("/fake", String(line).trim());

  let echoed = 0;
  const sockets: WebSocket[] = [];
  for (let count = 0; count < calls; count++) {
    const socket = new WebSocket(url);
    await once(socket, "open");
    socket.on("message", () => echoed++);
    sockets.push(socket);
  }
  const timer = setInterval(() => {
    for (const socket of sockets) socket.send('"a frame of audio"');
  }, 1_000 / messagesPerSecond);
  await sleep(1_000);
  const echoedBefore = echoed;
  const percents: number[] = [];
  for (let count = 0; count < 3; count++) {
    const [startMs, beforeMs] = [performance.now(), processorMs(gateway.pid)];
    await sleep(measuredMs);
    percents.push((100 * (processorMs(gateway.pid) - beforeMs)) / (performance.now() - startMs));
  }
  clearInterval(timer);
  expect(echoed - echoedBefore).toBeGreaterThan(1_000);
  // The best second: a garbage collection, or work left from the start, would exceed 1 % in another one. Messages never pause.
  expect(Math.min(...percents), `${percents}`).toBeLessThanOrEqual(1);
  for (const socket of sockets) socket.terminate();
});

/** The processor time of all threads of a process, in ms. */
function processorMs(pid: number | undefined): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    return sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  }, 0);
}
