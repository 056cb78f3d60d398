import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { findLiveKitServer } from "../../../../scripts/livekit-server.ts";
import { createRoomService, type RoomService } from "../api.ts";

/** The path of `livekit-server`; `undefined` where it is not installed. Tests that need it are skipped then. */
export const serverProgram: string | undefined = findLiveKitServer();

/** The account of the server. */
export const account = { apiKey: "APIkeyOfTests", apiSecret: "secret-of-tests-0123456789abcdef" };

/** A LiveKit server of this test, on the loopback interface. Its rooms exist only if they are created. */
export interface LiveKitServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly rooms: RoomService;
  /** Kills the server, as when its machine is lost. */
  kill(): Promise<void>;
}

/** How long the server may take to start, in ms. */
const startTimeoutMs = 40_000;

/** How often the server is started with other ports, when another process has taken one meanwhile. */
const attempts = 3;

export async function startLiveKitServer(): Promise<LiveKitServer> {
  if (serverProgram === undefined) throw new Error("livekit-server is not installed. Run pnpm test:livekit.");
  let fault = "";
  for (let attempt = 0; attempt < attempts; attempt++) {
    const started = await start(serverProgram);
    if (typeof started === "object") return started;
    fault = started;
  }
  throw new Error(`livekit-server did not start: ${fault}`);
}

/** Returns the last output of a server that exits or does not answer. */
async function start(program: string): Promise<LiveKitServer | string> {
  const [port, tcpPort, udpPort] = await freePorts(3);
  const config = {
    port,
    bind_addresses: ["127.0.0.1"],
    rtc: { tcp_port: tcpPort, udp_port: udpPort, node_ip: "127.0.0.1", enable_loopback_candidate: true },
    keys: { [account.apiKey]: account.apiSecret },
    // Rooms that are created without timeouts of their own close early while no caller is in them.
    room: { auto_create: false, empty_timeout: 2, departure_timeout: 2 },
    logging: { level: "error" },
  };
  const server = spawn(program, ["--config-body", JSON.stringify(config)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const record = (text: Buffer) => {
    output = `${output}${text}`.slice(-2_000);
  };
  server.stdout.on("data", record);
  server.stderr.on("data", record);
  const url = `ws://127.0.0.1:${port}`;
  const deadline = performance.now() + startTimeoutMs;
  while (!(await answers(`http://127.0.0.1:${port}`))) {
    const hasExited = server.exitCode !== null;
    if (!hasExited && performance.now() < deadline) await sleep(50);
    else {
      await end(server, "SIGKILL");
      return output;
    }
  }
  const rooms = createRoomService({ url, key: account.apiKey, secret: account.apiSecret });
  return {
    url,
    pid: server.pid ?? 0,
    rooms,
    kill: () => end(server, "SIGKILL"),
    [Symbol.asyncDispose]: () => end(server, "SIGKILL"),
  };
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  server.kill(signal);
  await exited;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { headers: { connection: "close" } })).ok;
  } catch {
    return false; // Not listening yet.
  }
}

/** Ports that are free now. LiveKit cannot choose its own. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => Object(server.address()).port as number);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
