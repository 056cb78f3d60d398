/** The program of real workers in tests: a runner whose bot echoes messages, or goes wrong when its caller says so. */
import { spawn } from "node:child_process";
import type { Bot } from "@pipecat-ts/runner-core";
import { createLogger, createRunner } from "@pipecat-ts/runner-host";
import { type FakeArguments, fakePlugin } from "../../../runner-host/src/test/fake-plugin.ts";
import { serveWorker } from "../worker.ts";

const faults: Readonly<Record<string, () => void>> = {
  abort: () => process.abort(),
  exit: () => process.exit(0),
  /** Leaves a process behind that has the worker's stderr, as a browser would. */
  kill() {
    spawn("sleep", ["60"], { stdio: "inherit" });
    process.kill(process.pid, "SIGKILL");
  },
  /** Starts a process that does not end by itself. */
  start: () => void spawn("sleep", ["60"], { stdio: "ignore" }),
  block() {
    const endMs = performance.now() + 3_000;
    while (performance.now() < endMs);
  },
  /** Uses the gateway's channel, if it can. */
  interfere: () => void process.send?.(null),
  disconnect: () => process.disconnect(),
  fill() {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, () => ({})));
  },
};

const bot: Bot = async (args) => {
  const { socket, signal } = args as unknown as FakeArguments;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    socket.on("close", () => resolve());
    socket.on("message", (data) => {
      const message = String(data);
      faults[JSON.parse(message)]?.();
      socket.send(message);
    });
  });
};

const logger = createLogger({ level: "silent" });
await serveWorker(process, async (options) => {
  const runner = createRunner({ bot, plugins: [fakePlugin()], env: {}, host: "127.0.0.1", logger, ...options });
  return { runner, logger };
});
process.exit(0);
