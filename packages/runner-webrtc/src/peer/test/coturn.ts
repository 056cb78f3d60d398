import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { onTestFinished, vi } from "vitest";
import type { IceServer } from "../peer.ts";

const login = { username: "caller", credential: "correct-horse" };

/** Starts a TURN server of this test's own on loopback, and ends it with the test. */
export async function startCoturn(): Promise<(transport: "udp" | "tcp", credential?: string) => IceServer> {
  const port = await freePort();
  const server = spawn(
    "turnserver",
    [
      ["-n", "--log-file=stdout", "--no-cli", "--no-tls", "--no-dtls", "--pidfile=", "--allow-loopback-peers"],
      ["--listening-ip=127.0.0.1", `--listening-port=${port}`, "--relay-ip=127.0.0.1"],
      ["--lt-cred-mech", "--realm=test", `--user=${login.username}:${login.credential}`],
    ].flat(),
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = once(server, "exit");
  onTestFinished(async () => {
    server.kill("SIGKILL");
    await ended;
  });
  await once(server, "spawn");
  await vi.waitFor(() => answers(port), { timeout: 10_000, interval: 20 });
  return (transport, credential = login.credential) => ({
    urls: `turn:127.0.0.1:${port}?transport=${transport}`,
    username: login.username,
    credential,
  });
}

/** A port that is free for UDP and TCP: the system gives one for TCP, which hardly anybody uses for UDP. */
async function freePort(): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  holder.close();
  await once(holder, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Resolves when a STUN binding request (RFC 8489) is answered. */
async function answers(port: number): Promise<void> {
  const socket = createSocket("udp4");
  try {
    const answered = once(socket, "message", { signal: AbortSignal.timeout(200) });
    socket.send(Buffer.from("000100002112a442000000000000000000000001", "hex"), port, "127.0.0.1");
    await answered;
  } finally {
    socket.close();
  }
}
