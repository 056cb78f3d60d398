import type { ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { RunnerContext } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { fakePlugin, neverConnected } from "../../runner-host/src/test/fake-plugin.ts";
import type { SessionReport } from "./session-table.ts";
import { createInMemoryWorkers } from "./test/in-memory-workers.ts";
import { serveWorker, type WorkerChannel } from "./worker.ts";
import { createWorkerStarter, superviseWorker } from "./worker-process.ts";

/** A ready worker whose start requests create a pending session, or with `?run` an active one. */
async function startWorker(takePermit: RunnerContext["takePermit"] = async () => true) {
  const folder = await createFolder();
  const plugin = fakePlugin({
    open: (runner: RunnerContext) => ({
      async start({ request: { url = "" } }) {
        if (url.includes("permit")) {
          const granted = await runner.takePermit("calls", 3);
          return { sessionId: "none", body: { id: String(granted) } };
        }
        const session = runner.createSession();
        if (url.includes("run")) session.run({}, neverConnected);
        return { sessionId: session.id, body: { id: session.id } };
      },
    }),
  });
  const common = { plugins: [plugin], env: {}, logger: createRecordingLogger() };
  const workers = createInMemoryWorkers(() => ({
    ...common,
    async bot({ signal }) {
      if (!signal.aborted) await once(signal, "abort");
    },
  }));
  const reports: SessionReport[] = [];
  const worker = workers.start(
    {
      ...{ kind: "open", gateway: process.pid, owner: { node: "0000000a", worker: 3 }, path: join(folder, "3.sock") },
      ...{ url: "http://localhost:7860/", maxSessions: 2 },
    },
    {
      onReport: (report) => reports.push(report),
      takePermit,
      onHeard: () => undefined,
      onSilent: () => undefined,
    },
  );
  await worker.ready;
  return { worker, reports };
}

async function start(socketPath: string, path: string): Promise<string> {
  const sent = request({ socketPath, path, method: "POST", headers: { host: "localhost" }, agent: false }).end();
  const [response] = await once(sent, "response");
  return (JSON.parse(await text(response)) as { id: string }).id;
}

test("a worker evicts a session that still waits for its caller, and no other", async () => {
  const { worker, reports } = await startWorker();
  const active = await start(worker.path, "/start?run");
  const pending = await start(worker.path, "/start");
  expect([active, pending].map((id) => id.slice(0, 13))).toEqual(["0000000a-0003", "0000000a-0003"]);
  worker.evict(active);
  worker.evict(pending);
  const ended = () => reports.filter((report) => report.kind === "session" && report.state === "ended");
  await expect.poll(ended).toMatchObject([{ id: pending, reason: "evicted" }]);
  worker.stop("close");
  expect(await worker.exited).toEqual({ cause: "stopped", code: 0, signal: null });
  expect(ended()).toMatchObject([{ id: pending }, { id: active, reason: "shutdown" }]);
});

test("a process that the machine cannot start is a worker that failed, and no exception", async () => {
  // `fork` throws on this file name, as it does without memory.
  const start = createWorkerStarter({ entry: "\0", args: [] });
  const worker = start(
    {
      ...{ kind: "open", gateway: process.pid, owner: { node: "0000000a", worker: 3 }, path: "/none/3.sock" },
      ...{ url: "http://localhost:7860/", maxSessions: 2 },
    },
    { onReport: () => undefined, takePermit: async () => true, onHeard: () => undefined, onSilent: () => undefined },
  );
  await expect(worker.ready).rejects.toMatchObject({
    code: "WORKER_FAILED",
    message: expect.stringContaining("could not be started"),
  });
  expect(await worker.exited).toEqual({ cause: "code", code: null, signal: null });
  worker.kill();
});

test("a worker whose channel is closed does not answer, although it was heard from just before", async () => {
  const child = Object.assign(new EventEmitter(), { connected: true, send: () => true, kill: () => true });
  const worker = superviseWorker(
    child as unknown as ChildProcess,
    {
      ...{ kind: "open", gateway: process.pid, owner: { node: "0000000a", worker: 3 }, path: "/none/3.sock" },
      ...{ url: "http://localhost:7860/", maxSessions: 2 },
    },
    { onReport: () => undefined, takePermit: async () => true, onHeard: () => undefined, onSilent: () => undefined },
  );
  child.emit("message", { kind: "pong" });
  expect(await worker.isResponsive()).toBe(true);
  Object.assign(child, { connected: false }).emit("disconnect");
  expect(await worker.isResponsive()).toBe(false);
  child.emit("close");
  await worker.exited;
});

test("a worker asks the gateway for permits, which all workers share", async () => {
  const asked: [string, number][] = [];
  const { worker } = await startWorker(async (...request) => asked.push(request) < 2);
  expect(await start(worker.path, "/start?permit")).toBe("true");
  expect(await start(worker.path, "/start?permit")).toBe("false");
  expect(asked).toEqual([
    ["calls", 3],
    ["calls", 3],
  ]);
  worker.stop("close");
  await worker.exited;
});

/** Serves a worker, and resolves when its gateway has ended and the worker too. Returns its log. */
async function serveUntilGatewayEnds(folder: string, pid: string): Promise<ReturnType<typeof createRecordingLogger>> {
  const logger = createRecordingLogger();
  const channel = Object.assign(new EventEmitter(), {
    connected: true,
    pid,
    send: (message: { readonly kind: string }) => channel.emit(message.kind),
  });
  const served = serveWorker(channel as unknown as WorkerChannel, async (options) => {
    const runner = createRunner({ plugins: [fakePlugin()], bot: () => undefined, env: {}, logger, ...options });
    return { runner, logger };
  });
  channel.emit("message", {
    ...{ kind: "open", gateway: 4_242, owner: { node: "0000000a", worker: 3 }, path: join(folder, "3.sock") },
    ...{ url: "http://localhost:7860/", maxSessions: 2 },
  });
  await once(channel, "ready");
  channel.connected = false;
  channel.emit("disconnect");
  await served;
  return logger;
}

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "worker-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  return folder;
}

test("a worker whose gateway has ended ends with its last call, also if it cannot start the process that cleans up", async () => {
  // `spawn` throws on this process id, as it does without memory.
  const logger = await serveUntilGatewayEnds(await createFolder(), "\0");
  expect(logger.lines).toContainEqual(
    expect.objectContaining({ level: "warn", message: "cannot clean up after this process" }),
  );
});

test("the process that cleans up learns the gateway's id from the gateway: after the gateway's death, it has another parent", async () => {
  const folder = await createFolder();
  const file = join(folder, "arguments");
  await writeFile(join(folder, "sh"), `#!/bin/sh\nprintf '%s\\n' "$@" > ${file}.new; mv ${file}.new ${file}\n`, {
    mode: 0o755,
  });
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
  await serveUntilGatewayEnds(folder, "a-worker");
  await expect.poll(() => existsSync(file)).toBe(true);
  expect((await readFile(file, "utf8")).trim().split("\n").slice(-4)).toEqual([
    "a-worker",
    join(folder, "3.sock"),
    folder,
    "4242",
  ]);
});
