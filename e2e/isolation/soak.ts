import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "@pipecat-ts/runner-core/caller";
import { WebSocket } from "ws";
import { descriptorsOf, findProcesses } from "../../packages/runner-gateway/src/test/proc.ts";

const atATime = 4;
const firstSessions = 20;
const workers = { workerCalls: 1, warmWorkers: atATime, maxWorkers: 2 * atATime };
const program = join(import.meta.dirname, "../../packages/runner-gateway/src/test/gateway-program.ts");

/** What a gateway, its workers and the programs that bots have started hold. */
interface Holdings {
  readonly processes: number;
  /** Those of the gateway. */
  readonly sockets: number;
  readonly descriptors: number;
  readonly files: number;
}

/**
 * Runs sessions through child processes that take one call each. One in ten of them kills its process, which has started another one, and
 * one in ten cuts the connection. Resolves to what they left, compared with the first 20 sessions, and what the end of the gateway left.
 */
export async function soakWorkers(sessions: number) {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "soak-"));
  // Every process that it starts inherits this variable.
  const gateway = spawn(process.execPath, [program, JSON.stringify(workers)], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(gateway, "exit");
  const [line] = (await once(gateway.stdout, "data")) as [Buffer];
  const url = new URL(String(line).trim());
  const failures: string[] = [];

  async function call(index: number): Promise<void> {
    const { json, text } = await send(new URL("/start", url), { method: "POST", body: {} });
    const { id } = Object(json) as { readonly id?: string };
    if (id === undefined) throw new Error(text);
    const socket = new WebSocket(new URL(`/fake/${id}`, url));
    await once(socket, "open");
    socket.send('"hello"');
    await once(socket, "message");
    const closed = once(socket, "close");
    if (index % 10 === 3) socket.send('"kill"');
    else if (index % 10 === 7) socket.terminate();
    else socket.close();
    await closed;
  }

  async function run(from: number, to: number): Promise<void> {
    let next = from;
    const one = async () => {
      while (next < to) await call(next++).catch((error: unknown) => failures.push(String(error)));
    };
    await Promise.all(Array.from({ length: atATime }, one));
  }

  const holdings = (): Holdings => ({
    processes: processesOf(folder),
    sockets: descriptorsOf(gateway.pid).filter((target) => target.startsWith("socket:")).length,
    descriptors: descriptorsOf(gateway.pid).length,
    files: readdirSync(folder, { recursive: true }).length,
  });

  await run(0, firstSessions);
  const before = await settled(holdings);
  await run(firstSessions, sessions);
  const after = await settled(holdings);
  gateway.kill("SIGTERM");
  const [code] = await exited;
  for (let tries = 0; processesOf(folder) > 0 && tries < 50; tries++) await sleep(100);
  const end = { code, processes: processesOf(folder), files: readdirSync(folder).length };
  rmSync(folder, { recursive: true });
  return { failures, before, after, end, seconds: Math.round((performance.now() - startedMs) / 1_000) };
}

/** The holdings when all warm workers are ready and no other process runs, or after 60 s. */
async function settled(holdings: () => Holdings): Promise<Holdings> {
  for (let tries = 0; tries < 600; tries++) {
    const now = holdings();
    // A worker that is ready has a Unix socket in the folder of the gateway.
    if (now.processes === 1 + workers.warmWorkers && now.files === 1 + workers.warmWorkers) break;
    await sleep(100);
  }
  await sleep(2_000); // for connections that are about to close
  return holdings();
}

/** The number of processes with this temporary folder. */
function processesOf(folder: string): number {
  return findProcesses("environ", (text) => text.includes(`TMPDIR=${folder}\0`)).length;
}
