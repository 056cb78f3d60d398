import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import { onTestFinished, vi } from "vitest";
import type { IceServer } from "../peer.ts";

const login = { username: "caller", credential: "correct-horse" };

/** Starts a TURN server on loopback for one test. This process trusts its certificate until the test ends. */
export async function startCoturn(): Promise<(transport: "udp" | "tcp" | "tls", credential?: string) => IceServer> {
  const [port, tlsPort] = [await freePort(), await freePort()];
  const { keyFile, certificateFile } = await makeCertificate();
  const server = spawn(
    "turnserver",
    [
      ["-n", "--log-file=stdout", "--no-cli", "--no-dtls", "--pidfile=", "--allow-loopback-peers"],
      ["--listening-ip=127.0.0.1", `--listening-port=${port}`, "--relay-ip=127.0.0.1"],
      [`--tls-listening-port=${tlsPort}`, `--cert=${certificateFile}`, `--pkey=${keyFile}`],
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
    urls: transport === "tls" ? `turns:127.0.0.1:${tlsPort}` : `turn:127.0.0.1:${port}?transport=${transport}`,
    username: login.username,
    credential,
  });
}

/** Creates a certificate for 127.0.0.1, and lets this process trust it until the test ends. */
async function makeCertificate(): Promise<{ readonly keyFile: string; readonly certificateFile: string }> {
  const folder = await mkdtemp(join(tmpdir(), "coturn-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [keyFile, certificateFile] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
    ...["-subj", "/CN=turn", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", keyFile, "-out", certificateFile],
  ]);
  const trusted = getCACertificates();
  onTestFinished(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, await readFile(certificateFile, "utf8")]);
  return { keyFile, certificateFile };
}

/** A port that is free for TCP, and almost certainly for UDP. */
async function freePort(): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  holder.close();
  await once(holder, "close");
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return address.port;
}

/** Resolves once the server answers a STUN binding request (RFC 8489). */
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
