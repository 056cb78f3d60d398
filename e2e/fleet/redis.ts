import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { findRedisServer } from "../../scripts/test-tools.ts";

/** A Redis on this machine that keeps nothing on disk. */
export interface Redis extends AsyncDisposable {
  readonly url: string;
  /** Its process. */
  readonly pid: number;
  /** Stops its process, so that it keeps connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Kills it, and starts an empty one at the same address. */
  replace(): Promise<void>;
}

/** Starts a Redis. Rejects when it is not installed. */
export async function startRedis(): Promise<Redis> {
  const program = findRedisServer();
  if (program === undefined) throw new Error("redis-server is not installed. Run: pnpm test:tools");
  const port = await freePort();
  let server = await start(program, port);

  async function kill(): Promise<void> {
    const exited = once(server, "exit");
    server.kill("SIGKILL");
    await exited;
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return server.pid ?? 0;
    },
    freeze: () => void server.kill("SIGSTOP"),
    thaw: () => void server.kill("SIGCONT"),
    async replace() {
      await kill();
      server = await start(program, port);
    },
    [Symbol.asyncDispose]: kill,
  };
}

async function start(program: string, port: number): Promise<ChildProcess> {
  const options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const server = spawn(program, ["--port", String(port), ...options], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  for await (const chunk of server.stdout) {
    printed += String(chunk);
    if (/ready to accept connections/i.test(printed)) break;
  }
  server.stdout.resume();
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
