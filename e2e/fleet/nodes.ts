import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { send } from "@pipecat-ts/runner-core/caller";
import { expect, vi } from "vitest";
import { twilioAccount } from "../server/callers.ts";

const root = dirname(dirname(import.meta.dirname));
export const secret = "the secret that all nodes of this fleet share";

/** A node of a fleet in a process of its own. */
export interface FleetNode {
  readonly pid: number;
  /** The beginning of the ids of its sessions. */
  readonly id: string;
  /** Its public port. */
  readonly port: number;
  /** Its port for other nodes. */
  readonly fleetPort: number;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  url(path: string): URL;
  /** Its log. */
  printed(): string;
  /** Resolves when the log contains this text. */
  logged(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** The environment of programs of the fleet. */
export function environment(redis: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PIPECAT_FLEET: redis,
    PIPECAT_FLEET_SECRET: secret,
    TWILIO_ACCOUNT_SID: twilioAccount.accountSid,
    TWILIO_AUTH_TOKEN: twilioAccount.authToken,
  };
}

/** Starts a node with these further flags. Resolves when it takes callers. */
export async function startNode(redis: string, ...flags: readonly string[]): Promise<FleetNode> {
  const command = ["packages/runner-cli/src/main.ts", "e2e/fleet/project/bot.ts", "--port", "0"];
  const child = spawn(process.execPath, [...command, "--fleet-listen", "127.0.0.1:0", ...flags], {
    cwd: root,
    env: environment(redis),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const { pid = 0 } = child;
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  const exited = once(child, "exit").then(([code, signal]) => code ?? signal);
  const ready = /http:\/\/localhost:(\d+)[\s\S]*\(--max-sessions\)/;
  await vi
    .waitFor(() => expect(printed).toMatch(ready), { timeout: 30_000 })
    .catch((error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    });
  const port = Number(ready.exec(printed)?.[1]);
  const [, id = "", fleetPort] =
    /"node":"([0-9a-f]{8})","address":"127\.0\.0\.1:(\d+)"[^\n]*"joined the fleet"/.exec(printed) ?? [];
  return {
    ...{ pid, id, port, exited, fleetPort: Number(fleetPort) },
    url: (path) => new URL(path, `http://127.0.0.1:${port}`),
    printed: () => printed,
    logged: (text) => vi.waitFor(() => expect(printed).toContain(text), { timeout: 20_000 }),
    kill: (signal) => void child.kill(signal),
  };
}

/**
 * A round robin by connection, like a load balancer without stickiness. A node is taken out when it refuses a connection, or is not ready
 * any more (`/readyz`).
 */
export interface Balancer extends AsyncDisposable {
  url(path: string): URL;
  add(node: FleetNode): void;
}

export async function startBalancer(): Promise<Balancer> {
  let ports: readonly number[] = [];
  const sockets = new Set<Socket>();
  const checks = new Set<NodeJS.Timeout>();
  let next = 0;

  function remove(port: number): void {
    ports = ports.filter((each) => each !== port);
  }

  /** Takes the node out after its drain has begun, which may be long before it closes. */
  function check({ url, port }: FleetNode): void {
    let wasReady = false;
    const timer = setInterval(async () => {
      const isReady = await send(url("/readyz")).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (wasReady && !isReady) {
        remove(port);
        clearInterval(timer);
      }
      wasReady ||= isReady;
    }, 250);
    checks.add(timer);
  }

  function pass(caller: Socket): void {
    const port = ports[next++ % ports.length];
    if (port === undefined) return void caller.destroy();
    const upstream = connect(port, "127.0.0.1");
    const refused = () => {
      remove(port);
      pass(caller);
    };
    upstream.once("error", refused);
    upstream.once("connect", () => {
      upstream.off("error", refused);
      for (const [each, other] of [
        [caller, upstream],
        [upstream, caller],
      ] as const) {
        sockets.add(each);
        each
          .on("error", () => other.destroy())
          .once("close", () => {
            sockets.delete(each);
            other.destroy();
          });
      }
      caller.pipe(upstream).pipe(caller);
    });
  }

  const server = createServer((caller) => pass(caller));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { readonly port: number };
  return {
    url: (path) => new URL(path, `http://127.0.0.1:${port}`),
    add(node) {
      ports = [...ports, node.port];
      check(node);
    },
    async [Symbol.asyncDispose]() {
      for (const timer of checks) clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Starts a session. Resolves to its id and the URL of its socket. Rejects when no node takes it. */
export async function startSession(at: URL): Promise<{ readonly sessionId: string; readonly wsUrl: URL }> {
  const body = { transport: "websocket" };
  const { status, headers, text, json } = await send(new URL("/start", at), { method: "POST", body });
  if (status !== 200) throw new Error(`POST /start answered ${status} ${text}`);
  const { wsUrl } = json as { readonly wsUrl: string };
  return { sessionId: String(headers["x-session-id"]), wsUrl: new URL(wsUrl) };
}
